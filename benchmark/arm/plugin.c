/* QEMU plugin: how many instructions each translated block ran, and where the block lies.
 *
 * -plugin counter.so,out=FILE writes, when the process ends, the host's memory map as in
 * /proc/self/maps, then a line "block ADDRESS INSTRUCTIONS" for each block: its address in the
 * host's memory, which the map turns into a file and an offset. Of a process that it forked, FILE
 * ends with ".fork": that has what was counted before, too.
 *
 * Debian ships no qemu-plugin.h, so what is used of the interface is declared here; it is the same
 * in its versions 1 (QEMU 4.2) and later: https://www.qemu.org/docs/master/devel/tcg-plugins.html
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *instruction);
void qemu_plugin_outs(const char *text);
void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*callback)(unsigned cpu, void *data), int flags,
                                          void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*callback)(qemu_plugin_id_t, void *), void *data);
int qemu_plugin_num_vcpus(void) __attribute__((weak));

/* QEMU reads this before it calls the plugin. Version 2 brought the function above and ended the
 * support of version 1. */
int qemu_plugin_version = 1;

__attribute__((constructor)) static void choose_version(void)
{
    if (qemu_plugin_num_vcpus)
        qemu_plugin_version = 2;
}

#define FORK ".fork"

struct block {
    struct block *next;
    void *address;
    uint64_t length;
    uint64_t runs;
};

static struct block *blocks; /* a list that threads push to without a lock */
static char *path;
static pid_t first;

static void count(unsigned cpu, void *block)
{
    (void)cpu;
    __atomic_fetch_add(&((struct block *)block)->runs, 1, __ATOMIC_RELAXED);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *translated)
{
    struct block *block = calloc(1, sizeof *block);

    (void)id;
    if (!block)
        abort();
    block->address = qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(translated, 0));
    block->length = qemu_plugin_tb_n_insns(translated);
    block->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&blocks, &block->next, block, 0, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        continue;
    qemu_plugin_register_vcpu_tb_exec_cb(translated, count, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void write_out(qemu_plugin_id_t id, void *data)
{
    FILE *out = fopen(getpid() == first ? path : strcat(path, FORK), "w");
    FILE *maps = fopen("/proc/self/maps", "r");
    int character;

    (void)id;
    (void)data;
    if (!out || !maps) {
        qemu_plugin_outs("counter: cannot write the counts\n");
        return; /* whoever reads the file misses its last line */
    }
    while ((character = getc(maps)) != EOF)
        putc(character, out);
    for (struct block *block = blocks; block; block = block->next)
        if (block->runs)
            fprintf(out, "block %" PRIxPTR " %" PRIu64 "\n", (uintptr_t)block->address,
                    block->length * block->runs);
    fputs("end\n", out);
    fclose(maps);
    fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4)) {
        qemu_plugin_outs("counter: expected one argument, out=FILE\n");
        return -1;
    }
    path = calloc(1, strlen(argv[0]) + sizeof FORK);
    strcpy(path, argv[0] + 4);
    first = getpid();
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, write_out, NULL);
    return 0;
}
