/* UTF-8: is it? Knows no characters, only which bytes may follow which. */
#include "core/utf8.h"

size_t pgo_utf8_length(const unsigned char *text, size_t left) {
    unsigned char first = text[0];
    size_t length = first < 0x80   ? 1
                    : first < 0xc2 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf5 ? 4
                                   : 0;
    if (length == 0 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad = (first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
               (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f);
    return bad ? 0 : length;
}

bool pgo_utf8_valid(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t step = 1;
    for (size_t i = 0; i < length && step > 0; i += step) {
        step = pgo_utf8_length(bytes + i, length - i);
    }
    return step > 0;
}
