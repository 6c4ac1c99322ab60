/* libcurl's codes as pgorch's errors. The text is libcurl's own behind the origin; it names hosts
 * and certificates, never a header or a query. */
#include "io/http_inner.h"

#include <errno.h>
#include <string.h>

static int classify(CURLcode code, long os_error) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return PGO_E_DNS;
    case CURLE_OPERATION_TIMEDOUT:
        return PGO_E_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR: /* also when the other side hangs up during the handshake */
        return os_error == ECONNRESET || os_error == EPIPE ? PGO_E_NET : PGO_E_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_USE_SSL_FAILED:
        return PGO_E_TLS;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return PGO_E_INVALID;
    case CURLE_OUT_OF_MEMORY:
        return PGO_E_NOMEM;
    default:
        return PGO_E_NET;
    }
}

void pgo_http_describe(const pgo_http *http, CURLcode code, long os_error, pgo_err *err) {
    int id = classify(code, os_error);
    const char *reason = http->reason[0] ? http->reason : curl_easy_strerror(code);
    pgo_fail(err, id, "%s: %s", http->origin.text, reason);
    err->retryable = id == PGO_E_NET || id == PGO_E_TIMEOUT || id == PGO_E_DNS;
}
