/* Which engine presses pieces, and how hard: by name, or what fits each part of "auto". */
#include "io/archive.h"

#include <string.h>

enum { MOST_THREADS = 256 };

static const int usual[PGO_DEFLATE_ENGINES] = {
    [PGO_DEFLATE_ZLIB] = 6, [PGO_DEFLATE_ISAL] = 1, [PGO_DEFLATE_LIBDEFLATE] = 6};

/* In the order of preference, for each of the choices of "auto". The reasons are in
 * docs/archive.md. */
static const struct pgo_archive_choice wanted[PGO_ARCHIVE_CHOICES][3] = {
    [PGO_ARCHIVE_QUICK] = {{PGO_DEFLATE_ISAL, 1},
                           {PGO_DEFLATE_LIBDEFLATE, 1},
                           {PGO_DEFLATE_ZLIB, 1}},
    [PGO_ARCHIVE_SMALL] = {{PGO_DEFLATE_LIBDEFLATE, 6}, {PGO_DEFLATE_ZLIB, 6}},
    [PGO_ARCHIVE_SMALLER] = {{PGO_DEFLATE_LIBDEFLATE, 7}, {PGO_DEFLATE_ZLIB, 6}},
};

static struct pgo_archive_choice first_there(const struct pgo_archive_choice *list) {
    int lowest, highest;
    while (!pgo_deflate_has(list->engine, &lowest, &highest)) {
        list++; /* zlib is always there */
    }
    return *list;
}

static int find_engine(const char *name, enum pgo_deflate_engine *engine, pgo_err *err) {
    int lowest, highest;
    for (int i = 0; i < PGO_DEFLATE_ENGINES; i++) {
        *engine = (enum pgo_deflate_engine)i;
        if (strcmp(pgo_deflate_name(*engine), name) == 0) {
            return pgo_deflate_has(*engine, &lowest, &highest)
                       ? 0
                       : pgo_fail(err, PGO_E_INVALID, "this pgorch was built without engine %s",
                                  name);
        }
    }
    return pgo_fail(err, PGO_E_INVALID, "no such engine: \"%s\" (auto, isal, deflate or zlib)",
                    name);
}

static int choose_one(pgo_archive_plan *plan, const char *name, int level, pgo_err *err) {
    enum pgo_deflate_engine engine;
    int lowest, highest, status = find_engine(name, &engine, err);
    if (status < 0) {
        return status;
    }
    pgo_deflate_has(engine, &lowest, &highest);
    level = level != 0 ? level : usual[engine];
    if (level < lowest || level > highest) {
        return pgo_fail(err, PGO_E_INVALID, "engine %s has levels %d to %d, not %d", name, lowest,
                        highest, level);
    }
    for (int i = 0; i < PGO_ARCHIVE_CHOICES; i++) {
        plan->choices[i] = (struct pgo_archive_choice){engine, level};
    }
    return 0;
}

int pgo_archive_plan_init(pgo_archive_plan *plan, const char *engine, int level, unsigned threads,
                          pgo_err *err) {
    plan->threads = threads > 0 ? threads : uv_available_parallelism();
    plan->threads = plan->threads < MOST_THREADS ? plan->threads : MOST_THREADS;
    plan->at_once = threads > 0 ? plan->threads : 2 * plan->threads + 4;
    plan->ahead = NULL;
    if (engine != NULL && strcmp(engine, "auto") != 0) {
        return choose_one(plan, engine, level, err);
    }
    if (level != 0) {
        return pgo_fail(err, PGO_E_INVALID,
                        "a level belongs to one engine: \"auto\" chooses its own");
    }
    for (int i = 0; i < PGO_ARCHIVE_CHOICES; i++) {
        plan->choices[i] = first_there(wanted[i]);
    }
    return 0;
}
