/*
 * replay.c - run a target on files without libFuzzer: replay FILE|DIRECTORY...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "input.h"

static unsigned long inputs;

static void run_file(const char *name)
{
        static unsigned char data[INPUT_BYTES_MAX * 4];
        FILE *file = fopen(name, "rb");
        size_t size;

        if (!file) {
                perror(name);
                exit(EXIT_FAILURE);
        }
        size = fread(data, 1, sizeof(data), file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
        inputs++;
}

static void run_directory(DIR *stream, const char *name)
{
        struct dirent *entry;
        char path[4096];

        while ((entry = readdir(stream))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
                run_file(path);
        }
        closedir(stream);
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++) {
                DIR *stream = opendir(argv[i]);

                if (stream)
                        run_directory(stream, argv[i]);
                else
                        run_file(argv[i]);
        }
        printf("%lu inputs replayed\n", inputs);
        return inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
