/* Stacks that take turns on one processor thread: what a switch must keep, and no more. */

#ifndef RTWAVE_CUDA_HOST_FIBRE_H
#define RTWAVE_CUDA_HOST_FIBRE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)

struct fibre_t {
    void **top; /* of its stack, where its registers are */
    void *fake; /* the sanitizer's */
    const void *stack;
    size_t bytes;
};

extern "C" void fibre_swap(void ***from, void **to);

/* Registers that a function keeps for its caller. */
__asm__(".text\n.type fibre_swap, @function\nfibre_swap:\n"
        "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n"
        ".size fibre_swap, . - fibre_swap\n");

/* To be called first by what `from` switched to for the first time. */
inline void fibre_begun(fibre_t *fibre, fibre_t *from)
{
    (void)fibre, (void)from;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fibre->fake, &from->stack, &from->bytes);
#endif
}

inline void fibre_switch(fibre_t *from, fibre_t *to)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from->fake, to->stack, to->bytes);
#endif
    fibre_swap(&from->top, to->top);
    fibre_begun(from, to);
}

/* `body` never returns. */
inline void fibre_make(fibre_t *fibre, unsigned char *stack, size_t bytes, void (*body)())
{
    void **top = (void **)(stack + bytes) - 1; /* as after a call: 8 bytes off a multiple of 16 */
    *--top = (void *)body;
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    *fibre = {top, nullptr, stack, bytes};
}

#else
#include <ucontext.h>

struct fibre_t {
    ucontext_t context;
    void *fake;
    const void *stack;
    size_t bytes;
};

inline void fibre_begun(fibre_t *, fibre_t *)
{
}

inline void fibre_switch(fibre_t *from, fibre_t *to)
{
    swapcontext(&from->context, &to->context);
}

inline void fibre_make(fibre_t *fibre, unsigned char *stack, size_t bytes, void (*body)())
{
    getcontext(&fibre->context);
    fibre->context.uc_stack.ss_sp = stack;
    fibre->context.uc_stack.ss_size = bytes;
    fibre->context.uc_link = nullptr;
    makecontext(&fibre->context, body, 0);
}
#endif

#endif
