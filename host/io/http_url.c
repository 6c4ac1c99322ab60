/* What has to be known of a URL: its origin as it may be shown, and whether it is this machine.
 * Parses with libcurl, so that what is checked is what is called. */
#include "io/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Only what is surely this machine: no name but localhost is trusted to stay here. */
static bool is_loopback(const char *host) {
    struct in_addr v4;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

static bool has_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static int read_origin(CURLU *url, pgo_http_origin *origin) {
    char *scheme = NULL, *host = NULL, *port = NULL;
    int failed = PGO_E_INVALID;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0))
        goto out;
    origin->tls = strcasecmp(scheme, "https") == 0;
    if (!origin->tls && strcasecmp(scheme, "http") != 0)
        goto out;
    curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
    int length = snprintf(origin->text, sizeof origin->text, "%s://%s%s%s", scheme, host,
                          port ? ":" : "", port ? port : "");
    if (length >= (int)sizeof origin->text)
        goto out;
    origin->loopback = is_loopback(host);
    origin->credentials = has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD);
    failed = 0;
out:
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return failed;
}

int pgo_http_parse_origin(const char *text, pgo_http_origin *origin, pgo_err *err) {
    *origin = (pgo_http_origin){0};
    CURLU *url = curl_url();
    if (!url)
        return pgo_fail(err, PGO_E_NOMEM, "no memory for a URL");
    bool good = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                read_origin(url, origin) == 0;
    curl_url_cleanup(url);
    if (!good)
        return pgo_fail(err, PGO_E_INVALID,
                        "that is no URL of the form http[s]://host[:port]/path");
    return 0;
}

char *pgo_http_join(const char *base, const char *location) {
    char *text = NULL, *copy = NULL;
    CURLU *url = curl_url();
    if (url && !curl_url_set(url, CURLUPART_URL, base, 0) &&
        !curl_url_set(url, CURLUPART_URL, location, CURLU_URLENCODE) &&
        !curl_url_get(url, CURLUPART_URL, &text, 0))
        copy = strdup(text);
    curl_free(text);
    curl_url_cleanup(url);
    return copy;
}
