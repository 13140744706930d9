/*
 * symbols.c - reading our own symbol table
 */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct function {
        uintptr_t base, bytes;
        const char *name;
} * functions;
static size_t function_count;

static int by_base(const void *a, const void *b)
{
        const struct function *x = a, *y = b;

        return (x->base > y->base) - (x->base < y->base);
}

static void take_table(const char *file, const Elf64_Shdr *sections, const Elf64_Shdr *table)
{
        const Elf64_Sym *symbols = (const void *)(file + table->sh_offset);
        const char *names = file + sections[table->sh_link].sh_offset;
        size_t count = table->sh_size / sizeof(*symbols);

        functions = mmap(NULL, count * sizeof(*functions), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; i < count; i++)
                if (ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC && symbols[i].st_size != 0)
                        functions[function_count++] = (struct function){
                                .base = symbols[i].st_value,
                                .bytes = symbols[i].st_size,
                                .name = names + symbols[i].st_name,
                        };
        qsort(functions, function_count, sizeof(*functions), by_base);
}

/* The program is linked to fixed addresses, so that those in the table are those in memory. */
static void load(void)
{
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        struct stat stat;
        const char *file;
        const Elf64_Ehdr *header;
        const Elf64_Shdr *sections;

        if (fd < 0 || fstat(fd, &stat) < 0)
                abort();
        file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        close(fd);
        header = (const void *)file;
        sections = (const void *)(file + header->e_shoff);
        for (unsigned i = 0; i < header->e_shnum; i++)
                if (sections[i].sh_type == SHT_SYMTAB)
                        take_table(file, sections, &sections[i]);
}

const char *symbols_function(const void *pc)
{
        uintptr_t at = (uintptr_t)pc;
        size_t low = 0, high;

        if (!functions)
                load();
        for (high = function_count; low < high;) {
                size_t middle = (low + high) / 2;
                if (functions[middle].base <= at)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0 || at - functions[low - 1].base >= functions[low - 1].bytes)
                return "?";
        return functions[low - 1].name;
}

static bool print_lines(FILE *to, const void *const *pcs, unsigned count, const char *indent)
{
        char command[2048], path[512], line[512];
        ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 1);
        bool any = false;
        int at;
        FILE *lines;

        if (bytes < 0)
                return false;
        path[bytes] = '\0';
        at = snprintf(command, sizeof(command), "addr2line -sfipe '%s' 2>/dev/null", path);
        for (unsigned i = 0; i < count && at < (int)sizeof(command) - 32; i++)
                at += snprintf(command + at, sizeof(command) - (size_t)at, " %p", pcs[i]);
        lines = popen(command, "r");
        if (!lines)
                return false;
        while (fgets(line, sizeof(line), lines)) {
                fprintf(to, "%s%s", indent, line);
                any = true;
        }
        return pclose(lines) == 0 && any;
}

void symbols_print(FILE *to, const void *const *pcs, unsigned count, const char *indent)
{
        if (count == 0 || print_lines(to, pcs, count, indent))
                return;
        for (unsigned i = 0; i < count; i++)
                fprintf(to, "%s%s\n", indent, symbols_function(pcs[i]));
}
