/* doctor.h - `ringfort doctor`: which layers of the hardening hold on this machine, what is missing, and the remedy. */
#ifndef RF_DOCTOR_H
#define RF_DOCTOR_H

/* A cli_command: --format text|json, --data DIR. Exit status 1 when a layer is missing. */
int cli_doctor(int argc, char **argv);

#endif
