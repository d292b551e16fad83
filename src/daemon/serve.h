/* serve.h - `ringfort serve`: from the command line to running roles. */
#ifndef RF_SERVE_H
#define RF_SERVE_H

int cli_serve(int argc, char **argv);

#endif
