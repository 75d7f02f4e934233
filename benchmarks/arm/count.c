/* Counts what a guest executes in marked regions: a plugin for QEMU's translator.
 *
 *   qemu-aarch64 -plugin count.so,out=FILE[,blocks=FILE][,l1d=32x4,l1i=32x2,l2=512x16] program
 *
 * The guest marks a region by two system calls that Linux refuses, prctl(MARK, label) and
 * prctl(MARK, END); labels are 1 to 63. Each region becomes one line of `out`,
 *
 *   label instructions loads stores l1d_misses l1i_misses l2_misses
 *
 * Regions do not nest, and a guest with several threads is counted as one. Memory is watched
 * where caches are given, as KiB x ways and all three of them, and all but `instructions` is 0
 * where they are not, which is faster. Loads and stores are accesses as QEMU makes them: a
 * pair or a vector of 16 bytes is two. Caches have lines of 64 bytes, the least recently used
 * one goes, nothing is prefetched, stores allocate; they live from the first mark on.
 * `blocks` gets, at the guest's exit, a line for each block of code and label,
 *
 *   label executions instructions code
 *
 * Blocks are counted as they begin, whole. The system call of a mark ends its block, so that
 * a region holds what follows one call up to and including the next.
 *
 * Debian does not package qemu-plugin.h; the declarations below are the part of plugin API
 * version 1, that of QEMU 7.2, that is used here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MARK 0x6f6e7772u /* "onwr" */
#define END 0
#define LABELS 64
#define LINE 6 /* log2 of a cache line's bytes */

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                          void (*begins)(unsigned int, void *),
                                          enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *counter, uint64_t add);
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *insn,
    void (*accesses)(unsigned int, qemu_plugin_meminfo_t, uint64_t, void *),
    enum qemu_plugin_cb_flags flags, enum qemu_plugin_mem_rw rw, void *data);
void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t id,
    void (*called)(qemu_plugin_id_t, unsigned int, int64_t, uint64_t, uint64_t, uint64_t,
                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*ends)(qemu_plugin_id_t, void *),
                                    void *data);

EXPORT int qemu_plugin_version = 1;

/* Caches */

struct cache {
    uint64_t sets, ways, clock, misses;
    uint64_t *line, *used; /* sets x ways; a line is held as its number + 1 */
};

static struct cache l1d, l1i, l2;

static bool make(struct cache *cache, const char *size)
{
    uint64_t kib;
    if (sscanf(size, "%" SCNu64 "x%" SCNu64, &kib, &cache->ways) != 2 || !kib || !cache->ways)
        return false;
    cache->sets = (kib << 10 >> LINE) / cache->ways;
    cache->line = calloc(cache->sets * cache->ways, sizeof *cache->line);
    cache->used = calloc(cache->sets * cache->ways, sizeof *cache->used);
    return cache->sets && cache->line && cache->used;
}

static bool hits(struct cache *cache, uint64_t line)
{
    uint64_t *held = cache->line + line % cache->sets * cache->ways;
    uint64_t *used = cache->used + line % cache->sets * cache->ways, oldest = 0;
    cache->clock++;
    for (uint64_t way = 0; way < cache->ways; way++) {
        if (held[way] == line + 1) {
            used[way] = cache->clock;
            return true;
        }
        if (used[way] < used[oldest])
            oldest = way;
    }
    held[oldest] = line + 1;
    used[oldest] = cache->clock;
    cache->misses++;
    return false;
}

static void touch(struct cache *first, uint64_t address, uint64_t bytes)
{
    for (uint64_t line = address >> LINE; line <= (address + bytes - 1) >> LINE; line++)
        if (!hits(first, line))
            hits(&l2, line);
}

/* Blocks */

struct block {
    struct block *next;
    uint64_t address, bytes, instructions;
    uint64_t executed, begun, inside[LABELS];
    uint8_t code[];
};

static struct block *blocks;

/* Regions */

static FILE *out, *blocks_out;
static bool started;
static uint64_t label = END, instructions, loads, stores, before[6];

static void now(uint64_t counted[6])
{
    const uint64_t all[6] = {instructions, loads, stores, l1d.misses, l1i.misses, l2.misses};
    memcpy(counted, all, sizeof all);
}

static void begin(uint64_t of)
{
    label = of;
    started = true;
    for (struct block *block = blocks; block; block = block->next)
        block->begun = block->executed;
    now(before);
}

static void end(void)
{
    uint64_t after[6];
    now(after);
    fprintf(out, "%" PRIu64, label);
    for (int i = 0; i < 6; i++)
        fprintf(out, " %" PRIu64, after[i] - before[i]);
    fprintf(out, "\n");
    fflush(out);
    for (struct block *block = blocks; block; block = block->next)
        block->inside[label] += block->executed - block->begun;
}

static void called(qemu_plugin_id_t id, unsigned int cpu, int64_t number, uint64_t first,
                   uint64_t second, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                   uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)number, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (first != MARK || second >= LABELS)
        return;
    if (label != END)
        end();
    label = END;
    if (second != END)
        begin(second);
}

/* Translation */

static void begins(unsigned int cpu, void *data)
{
    const struct block *block = data;
    (void)cpu;
    if (started)
        touch(&l1i, block->address, block->bytes);
}

static void accesses(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    (void)cpu, (void)data;
    if (!started)
        return;
    *(qemu_plugin_mem_is_store(info) ? &stores : &loads) += 1;
    touch(&l1d, address, 1u << qemu_plugin_mem_size_shift(info));
}

static struct block *copy(const struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb), bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, i));
    struct block *block = calloc(1, sizeof *block + bytes);
    if (!block)
        abort();
    block->address = qemu_plugin_tb_vaddr(tb);
    block->instructions = count;
    for (size_t i = 0; i < count; i++) {
        const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t size = qemu_plugin_insn_size(insn);
        memcpy(block->code + block->bytes, qemu_plugin_insn_data(insn), size);
        block->bytes += size;
    }
    block->next = blocks;
    return blocks = block;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    if (blocks_out || l2.sets) {
        struct block *block = copy(tb);
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
                                                 &block->executed, 1);
        if (l2.sets)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, begins, QEMU_PLUGIN_CB_NO_REGS, block);
    }
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &instructions,
                                             qemu_plugin_tb_n_insns(tb));
    for (size_t i = 0; l2.sets && i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), accesses,
                                         QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
}

static void ends(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    for (struct block *block = blocks; block && blocks_out; block = block->next)
        for (int each = 0; each < LABELS; each++) {
            if (!block->inside[each])
                continue;
            fprintf(blocks_out, "%d %" PRIu64 " %" PRIu64 " ", each, block->inside[each],
                    block->instructions);
            for (uint64_t i = 0; i < block->bytes; i++)
                fprintf(blocks_out, "%02x", block->code[i]);
            fprintf(blocks_out, "\n");
        }
    if (blocks_out)
        fclose(blocks_out);
    fclose(out);
}

static bool taken(const char *argument)
{
    if (!strncmp(argument, "out=", 4))
        return (out = fopen(argument + 4, "w"));
    if (!strncmp(argument, "blocks=", 7))
        return (blocks_out = fopen(argument + 7, "w"));
    if (!strncmp(argument, "l1d=", 4))
        return make(&l1d, argument + 4);
    if (!strncmp(argument, "l1i=", 4))
        return make(&l1i, argument + 4);
    return !strncmp(argument, "l2=", 3) && make(&l2, argument + 3);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
                               char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (!taken(argv[i])) {
            fprintf(stderr, "count.so: cannot take %s\n", argv[i]);
            return 1;
        }
    if (!out || !l1d.sets != !l2.sets || !l1i.sets != !l2.sets) {
        fprintf(stderr, "count.so: give out=FILE, and all of l1d, l1i, l2 or none\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ends, NULL);
    return 0;
}
