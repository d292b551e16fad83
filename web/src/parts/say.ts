// One polite live region: at most one message in 3 s reaches a screen reader, the newest wins. Sighted people see it for a moment at the foot.
let box: HTMLElement | undefined, timer: ReturnType<typeof setTimeout> | undefined, last = 0, next = "", due: ReturnType<typeof setTimeout> | undefined;

export function say(text: string): void {
  next = text;
  due ??= setTimeout(() => {
    due = undefined;
    last = Date.now();
    if (!box) {
      box = document.createElement("div");
      box.className = "said";
      box.setAttribute("role", "status");
      document.body.append(box);
    }
    box.textContent = next;
    clearTimeout(timer);
    timer = setTimeout(() => { box!.textContent = ""; }, 4000);
  }, Math.max(50, 3000 - (Date.now() - last)) * (last ? 1 : 0));
}
