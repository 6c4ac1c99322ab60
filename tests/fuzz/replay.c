/* The fuzzer's target without a fuzzer: the files that are named (none: the fixtures), and of each
 * some hundred mutations that a fixed seed decides. Prints TAP. What a fuzzer has found is put into
 * tests/fixtures/archives/found as NAME.dump and is replayed from then on. */
#include "../support/archive_writer.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 300, OF_SMALL = 20000, LONGEST = 70000 };

static uint64_t seed = 6;

static size_t next_random(size_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % below;
}

/* The byte before the archive, which chooses engine and cut; then the archive. */
static bool read_file(const char *path, pgo_buffer *text) {
    char piece[65536];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    put_bytes(text, "\3", 1);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) {
        put_bytes(text, piece, got);
    }
    fclose(file);
    return text->length > 1;
}

/* Numbers are what a parser trusts: they are what is changed most. */
static size_t change(char *data, size_t length) {
    static const char numbers[][5] = {{0},           {1, 1}, {0, -1, -1, -1, 127},
                                      {0, 0, 0, 16}, {0, 1}, {2}};
    size_t at = next_random(length);
    switch (next_random(4)) {
    case 0:
        data[at] = (char)next_random(256);
        return length;
    case 1:
        return at + 1; /* cut short */
    case 2: {
        size_t from = next_random(length), some = next_random(64);
        some = some < length - at ? some : length - at;
        some = some < length - from ? some : length - from;
        memmove(data + at, data + from, some);
        return length;
    }
    default:
        memcpy(data + at, numbers[next_random(6)], length - at < 5 ? length - at : 5);
        return length;
    }
}

static void mutate(const pgo_buffer *text, int count) {
    size_t longest = text->length < LONGEST ? text->length : LONGEST;
    for (int i = 0; i < count; i++) {
        char *copy = malloc(longest); /* of its own size, so that a read beyond it is seen */
        memcpy(copy, text->data, longest);
        copy[0] = (char)next_random(256);
        size_t length = longest;
        for (size_t k = next_random(4) + 1; k > 0; k--) {
            length = change(copy, length);
        }
        char *exact = malloc(length);
        memcpy(exact, copy, length);
        LLVMFuzzerTestOneInput((const uint8_t *)exact, length);
        free(exact);
        free(copy);
    }
}

static void replay(const char *path) {
    static int count;
    pgo_buffer text = {0};
    if (!read_file(path, &text)) {
        printf("not ok %d - %s cannot be read\n", ++count, path);
        exit(1);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)text.data, text.length);
    int mutations =
        text.length < 4096 ? OF_SMALL : MUTATIONS; /* in a small one they hit the data */
    mutate(&text, mutations);
    printf("ok %d - %s and %d mutations\n", ++count, path, mutations);
    pgo_buffer_free(&text);
}

static int is_archive(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return end != NULL && (strcmp(end, ".dump") == 0 || strcmp(end, ".head") == 0);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay_folder(const char *folder) {
    struct dirent **entries = NULL;
    char path[512];
    int count = scandir(folder, &entries, is_archive, by_name);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        replay(path);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    if (argc == 1) {
        replay_folder("tests/fixtures/archives");
        replay_folder("tests/fixtures/archives/found");
    }
    return 0;
}
