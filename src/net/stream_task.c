#include <stdlib.h>

#include "net/stream_int.h"

/* Work of a stream that blocks, and what other threads send to it. */

/* ---- mailboxes ------------------------------------------------------------------------------------------------- */

struct stream_mailbox {
    atomic_uint refs;
    atomic_uint posts; /* that wait */
    atomic_bool gone;  /* the stream has ended */
    atomic_size_t backlog;
    struct loop *loop;
    struct stream *stream; /* for the loop's thread; NULL when it has ended */
};

struct stream_mailbox *stream_mailbox_ref(struct stream_mailbox *mailbox)
{
    atomic_fetch_add_explicit(&mailbox->refs, 1, memory_order_relaxed);
    return mailbox;
}

void stream_mailbox_unref(struct stream_mailbox *mailbox)
{
    if (mailbox == NULL) return;
    if (atomic_fetch_sub_explicit(&mailbox->refs, 1, memory_order_acq_rel) == 1) free(mailbox);
}

/* The stream's own reference is made with it. */
static struct stream_mailbox *own_mailbox(struct stream *stream)
{
    if (stream->mailbox != NULL) return stream->mailbox;
    struct stream_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL) return NULL;
    atomic_init(&mailbox->refs, 1);
    atomic_init(&mailbox->backlog, queue_bytes(&stream->out));
    mailbox->loop = stream->conn->loop;
    mailbox->stream = stream;
    stream->mailbox = mailbox;
    return mailbox;
}

struct stream_mailbox *stream_mailbox(struct stream *stream)
{
    struct stream_mailbox *mailbox = own_mailbox(stream);
    return mailbox == NULL ? NULL : stream_mailbox_ref(mailbox);
}

size_t stream_backlog(const struct stream_mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->backlog, memory_order_relaxed);
}

void stream_note_backlog(const struct stream *stream)
{
    if (stream->mailbox == NULL) return;
    atomic_store_explicit(&stream->mailbox->backlog, queue_bytes(&stream->out),
                          memory_order_relaxed);
}

void stream_mailbox_close(struct stream *stream)
{
    if (stream->mailbox == NULL) return;
    stream->mailbox->stream = NULL;
    atomic_store(&stream->mailbox->gone, true);
    stream_mailbox_unref(stream->mailbox);
    stream->mailbox = NULL;
}

/* ---- tasks --------------------------------------------------------------------------------------------------------- */

static struct stream_task *task_of(struct work_item *item)
{
    return (struct stream_task *)(void *)((uint8_t *)item - offsetof(struct stream_task, item));
}

static void run_task(struct work_item *item)
{
    struct stream_task *task = task_of(item);
    task->run(task, task->mailbox != NULL ? &task->mailbox->gone : &item->loop->server->cut);
}

static void deliver(struct work_item *item)
{
    struct stream_task *task = task_of(item);
    struct stream_mailbox *mailbox = task->mailbox;
    struct stream *stream = mailbox == NULL ? NULL : mailbox->stream;
    task->deliver(task, stream, stream == NULL ? NULL : stream->state);
    stream_mailbox_unref(mailbox);
}

static void deliver_post(struct work_item *item)
{
    atomic_fetch_sub_explicit(&task_of(item)->mailbox->posts, 1, memory_order_relaxed);
    deliver(item);
}

static bool put_task(struct server *server, struct stream_task *task, enum http_lane lane)
{
    task->item.run = run_task;
    task->item.back = deliver;
    if (workers_put(server->workers, lane, &task->item)) return true;
    stream_mailbox_unref(task->mailbox);
    return false;
}

bool stream_work(struct stream *stream, struct stream_task *task, enum http_lane lane, uint64_t who)
{
    task->mailbox = stream_mailbox(stream);
    if (task->mailbox == NULL) return false;
    task->item.loop = stream->conn->loop;
    task->item.who = who;
    return put_task(stream->conn->loop->server, task, lane);
}

bool server_work(struct server *server, struct stream_task *task, enum http_lane lane, uint64_t who)
{
    task->mailbox = NULL;
    task->item.loop = server->loops[rf_hash_u64(who) % server->loop_count];
    task->item.who = who;
    return put_task(server, task, lane);
}

bool stream_post(struct stream_mailbox *mailbox, struct stream_task *task)
{
    if (atomic_load(&mailbox->gone)) return false;
    if (atomic_fetch_add_explicit(&mailbox->posts, 1, memory_order_relaxed) >= STREAM_POSTS_MAX) {
        atomic_fetch_sub_explicit(&mailbox->posts, 1, memory_order_relaxed);
        return false;
    }
    task->mailbox = stream_mailbox_ref(mailbox);
    task->item.back = deliver_post;
    loop_post(mailbox->loop, &task->item);
    return true;
}
