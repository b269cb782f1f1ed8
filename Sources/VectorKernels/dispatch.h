// Versions of a function for the instruction sets worth having, chosen when the program is loaded. Without them (NO_DISPATCH) for sanitizers, which are not
// ready yet when that is done.
#ifndef DISPATCH_H
#define DISPATCH_H

#if defined(__x86_64__) && defined(__linux__) && !defined(NO_DISPATCH)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

#define INLINE static inline __attribute__((always_inline))

// Sums may be reordered and products fused: without it no reduction vectorises.
#define REASSOCIATE _Pragma("clang fp reassociate(on) contract(fast)")

#endif
