#include <cblas.h>
#include <stddef.h>

// LAPACK's routines, which OpenBLAS carries: Debian's package has no header of them. The lengths of texts follow all other arguments.

// The factors of a = lower triangle · orthonormal rows.
void dgelqf_(const blasint *rows, const blasint *columns, double *a, const blasint *stride, double *tau, double *work, const blasint *work_size,
             blasint *info);

// Singular values, and vectors as `job` asks.
void dgesdd_(const char *job, const blasint *rows, const blasint *columns, double *a, const blasint *stride, double *values, double *left,
             const blasint *left_stride, double *right, const blasint *right_stride, double *work, const blasint *work_size, blasint *integer_work,
             blasint *info, size_t job_length);
