//! What the lines say: words, sentences, families of lines and the formats of secrets. How a template reads is said in
//! `grammar.rs`; how often what is chosen is the number before it.
//!
//! Nothing in this file has the shape of a secret: tails are random, and an empty field keeps a prefix from its name.

/// Symbols whose alternatives are single words, all equally likely.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("level", "info info info info info info info info info debug debug debug warn warn error"),
    ("LEVEL", "INFO INFO INFO INFO INFO INFO INFO INFO DEBUG DEBUG DEBUG WARN WARN ERROR TRACE"),
    (
        "service",
        "storefront ledger pricing identity-auth cart-sync payout-worker search-api telemetry-gw mailroom sku-keeper
         rim-proxy fraud-scorer task-runner disk-janitor accounts token-broker flag-service thumbnailer statements
         key-warden",
    ),
    (
        "word",
        "amber batch cursor delta epoch fanout gauge handoff index journal kernel lease mirror nonce offset parity quorum
         replica shard tenant upsert vector window yield zone attempt bucket channel digest region schema topic",
    ),
    (
        "first",
        "anika boris chloe diego elif farid greta hiro ines jonas kaya liam mira nadia omar petra quinn rosa sven tara",
    ),
    ("domain", "example.com example.org example.net shop.example.com eu.example.net img.example.org mx.example.com"),
    ("method", "GET GET GET GET POST POST PUT PATCH DELETE"),
    ("status", "200 200 200 200 200 201 204 301 304 400 401 404 429 500 503"),
    (
        "package",
        "com.example.storefront com.example.identity.token org.springframework.security.web io.grpc.internal
         org.apache.kafka.clients.consumer java.util.concurrent com.example.ledger.posting reactor.core.publisher
         org.hibernate.persister.entity io.netty.handler.ssl",
    ),
    (
        "class",
        "FilterChainProxy TokenIntrospector LedgerController ForkJoinPool ConsumerCoordinator KeyStoreLoader
         ConnectionLease ChannelPipeline PasswordPolicy StatementMapper RetryInterceptor",
    ),
    (
        "function",
        "dispatch proceed run acquire handle verifyToken readRow fireEvent rotateKeys digest lambda$submit$2 access$100
         onMessage",
    ),
    ("source", "server handler store client worker cache lease router scheduler reconcile token_source keyring"),
];

/// All other symbols: the alternatives of each, and how often each is chosen.
pub(super) const SYMBOLS: &[(&str, &[(u32, &str)])] = &[
    // Weights are records. A Java record is a line and 12 frames on average, so 8 of 987 records are a tenth of the lines.
    (
        "record",
        &[
            (400, "`json`"),
            (180, "`access`"),
            (150, "`logfmt`"),
            (8, "`java`"),
            (90, "`kube`"),
            (80, "`syslog`"),
            (50, "`escapes`"),
        ],
    ),
    // Small parts.
    ("ip", &[(1, "`number:223`.`number:256`.`number:256`.`number:256`")]),
    ("uuid", &[(1, "`hex:8`-`hex:4`-4`hex:3`-b`hex:3`-`hex:12`")]),
    ("email", &[(1, "`first`.`first``number:100`@`domain`")]),
    (
        "host",
        &[
            (2, "ip-10-`number:256`-`number:256`-`number:256`"),
            (1, "pool-b-`number:64`.eu-north-1.compute.internal"),
            (1, "rack`number:40`-u`number:48`"),
        ],
    ),
    (
        "path",
        &[
            (3, "/api/v1/carts/`number:1000000`/lines"),
            (3, "/api/v2/accounts/`number:1000000`"),
            (2, "/api/v1/statements/`uuid`"),
            (2, "/catalog/products/`number:100000`"),
            (2, "/static/js/main.`hex:8`.js"),
            (2, "/static/img/`hex:8`.webp"),
            (1, "/api/v1/keys/`number:5000`/usage"),
            (1, "/api/v1/token/introspect"),
            (1, "/account/password/reset"),
            (2, "/oauth2/authorize"),
            (1, "/healthz"),
            (1, "/metrics"),
            (1, "/login"),
            (1, "/search"),
        ],
    ),
    ("url", &[(1, "https://`domain``path`?page=`number:90`&order=`word`&via=`hex:6`")]),
    (
        "agent",
        &[
            (
                3,
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
            ),
            (
                3,
                "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari/604.1",
            ),
            (2, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            (1, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
            (1, "curl/8.9.1"),
            (1, "kube-probe/1.31"),
            (1, "Prometheus/2.54.1"),
            (1, "Go-http-client/1.1"),
        ],
    ),
    // What lines report.
    (
        "message",
        &[(39, "`phrase` `word`=`number:20000` `phrase`"), (39, "`phrase` `word`=`number:20000`"), (22, "`near-miss`")],
    ),
    (
        "phrase",
        &[
            (1, "request accepted by upstream"),
            (1, "cache miss, falling through to origin"),
            (1, "retrying after backoff"),
            (1, "peer closed the connection"),
            (1, "queue depth above high water mark"),
            (1, "flushed batch to storage"),
            (1, "compaction took longer than expected"),
            (1, "elected as leader"),
            (1, "partition reassigned to follower"),
            (1, "deadline exceeded while waiting for quota"),
            (1, "worker drained and stopped"),
            (1, "migration step applied"),
            (1, "order placed"),
            (1, "invoice rendered"),
            (1, "webhook delivered"),
            (1, "snapshot restored from cold tier"),
            (1, "replica lags behind primary"),
            (1, "slow query on read path"),
            (1, "circuit breaker half open"),
            (1, "configuration reloaded"),
            (1, "session expired, user signed in again"),
            (1, "heartbeat received"),
        ],
    ),
    (
        "near-miss",
        &[
            (3, "password reset mail queued for `email`"),
            (3, "token refresh scheduled in `number:900`s for session `hex:8`"),
            (3, "cache key cart:`number:1000000`:totals evicted, ttl=`number:4000`"),
            (3, "followed redirect to `url` in `number:2000`ms"),
            (2, "layer sha256:`hex:64` already present"),
            (3, "Authorization header missing, replied 401 on `path`"),
            (3, "prompt_tokens=`number:4000` completion_tokens=`number:900` total_tokens=`number:5000`"),
            (3, "secret store lease for `service` renewed, next check in `number:3600`s"),
            (3, "task-`number:60000` moved from disk-`number:16` to desk-`first`"),
            (2, "foreign key `number:900000` of role_grants refers to a deleted row"),
            (2, "etag W/\"`web64:27`\" still fresh, `number:900000` bytes saved"),
            (3, "Basic challenge sent, Bearer preferred by realm `service`"),
            (1, "trace `hex:32` sampled by auth policy `word`"),
        ],
    ),
    (
        "problem",
        &[
            (1, "java.net.ConnectException: connection refused: `host`/`ip`:5432"),
            (1, "java.lang.IllegalArgumentException: token bucket `word` has no capacity"),
            (1, "java.sql.SQLException: duplicate key value violates unique constraint \"carts_key\""),
            (1, "java.security.KeyStoreException: Key entry `word` not found"),
            (1, "com.example.identity.AuthException: password verification failed for user `first``number:100`"),
            (1, "java.lang.NullPointerException"),
        ],
    ),
    // JSON lines, four shapes.
    (
        "json",
        &[
            (
                5,
                r#"{"ts":"`iso`","level":"`level`","service":"`service`","trace_id":"`hex:32`","span_id":"`hex:16`","msg":"`json:message`","elapsed_ms":`number:4000`,"actor":{"id":`number:10000000`,"email":"`email`"}}"#,
            ),
            (
                3,
                r#"{"timestamp":`millis`,"severity":"`LEVEL`","logger":"`package`.`class`","thread":"exec-`number:32`","message":"`json:message`","mdc":{"requestId":"`uuid`","path":"`path`","status":`status`,"bytes":`number:65536`,"remote":"`ip`"},"kubernetes":{"pod":"`service`-`hex:9`-`lower:5`","namespace":"prod","node":"`host`"}}"#,
            ),
            (
                2,
                r#"{"@timestamp":"`iso`","log.level":"`LEVEL`","message":"`json:message`","http":{"request":{"method":"`method`","headers":{"user-agent":"`agent`","x-request-id":"`uuid`"}},"response":{"status_code":`status`}},"url":"`url`","labels":{"cacheKey":"`word`:`number:900000`","tokens_used":`number:4000`,"commit":"`hex:40`"}}"#,
            ),
            (2, r#"{"time":"`iso`","level":"`LEVEL`","event":"`word`.`word`","payload":"`json:payload`"}"#),
        ],
    ),
    (
        "payload",
        &[(1, r#"{"items":[`number:60000`,`number:60000`,`number:60000`],"note":"`json:message`","accepted":true}"#)],
    ),
    // The combined log format of nginx, with request times.
    (
        "access",
        &[(
            1,
            r#"`ip` - `remote-user` [`access-time`] "`method` `target` HTTP/1.1" `status` `number:40000` "`referer`" "`agent`" rt=0.`digit:3` uct=0.00`digit:1`"#,
        )],
    ),
    ("remote-user", &[(9, "-"), (1, "`first`")]),
    ("referer", &[(1, "-"), (1, "`url`")]),
    ("target", &[(7, "`path`"), (3, "`path`?page=`number:90`&key=`word`&utm_source=`word`")]),
    ("secret-target", &[(5, "`path`?q=`token`"), (4, "`query-secret`")]),
    // logfmt.
    (
        "logfmt",
        &[(
            1,
            r#"ts=`iso` level=`level` svc=`service` caller=`source`.go:`number:600` msg="`json:message`" method=`method` path=`path` status=`status` dur=`number:2000`ms req_id=`uuid` peer=`ip`:`number:60000`"#,
        )],
    ),
    // log4j.
    (
        "java",
        &[(
            1,
            "`log4j-time` ERROR [`service`-`number:64`] `package`.`class` - `message`: `problem``frame*5-17``cause`",
        )],
    ),
    ("secret-java", &[(1, "`log4j-time` WARN  [main] `package`.`class` - `message`")]),
    ("frame", &[(1, "\n\tat `package`.`class`.`function`(`class`.java:`number:900`)")]),
    ("cause", &[(2, ""), (1, "\nCaused by: `problem`\n\t... `number:40` common frames omitted")]),
    // Container runtimes.
    (
        "kube",
        &[
            (1, "`iso` stdout F I`klog-time` `number:20000` `source`.go:`number:900`] `kube-message`"),
            (
                1,
                r#"`iso` stderr F {"level":"`level`","ts":`millis`,"logger":"controller","msg":"`json:kube-message`","controller":"`service`","namespace":"kube-system","reconcileID":"`uuid`"}"#,
            ),
        ],
    ),
    (
        "kube-message",
        &[
            (2, "reconciled \"default/`service`-`number:4000`\" in `number:4000`ms"),
            (1, "pulled image \"registry.example.net/`service`@sha256:`hex:64`\""),
            (1, "mounted volume \"kube-api-access-`lower:5`\" (UniqueName: \"kubernetes.io/projected/`uuid`\")"),
            (1, "secret \"`service`-tls\" not found, requeued"),
            (1, "readiness probe failed: HTTP status `status`"),
            (1, "bound prod/`service`-`hex:9` to `host`"),
            (1, "token controller synced `number:90` service accounts"),
        ],
    ),
    ("secret-kube-message", &[(1, "`secret-message`")]),
    // RFC 5424, RFC 3164.
    (
        "syslog",
        &[
            (6, "<`number:128`>1 `iso` `host` `service` `number:30000` - - `message`"),
            (4, "`syslog-time` `host` sshd[`number:30000`]: `sshd`"),
        ],
    ),
    ("secret-syslog", &[(1, "<`number:128`>1 `iso` `host` `service` `number:30000` - - `message`")]),
    (
        "sshd",
        &[
            (1, "Failed password for invalid user `first` from `ip` port `number:60000` ssh2"),
            (1, "Accepted publickey for `first` from `ip` port `number:60000` ssh2: ED25519 SHA256:`std64:43`"),
            (1, "pam_unix(sshd:session): session closed for user `first`"),
        ],
    ),
    // Escapes that clean logs are full of: HTML in JSON, percent-encoding, colours, inlined images.
    (
        "escapes",
        &[
            (
                1,
                r#"{"ts":"`iso`","html":"\u003cdiv class=\u0022`word`\u0022\u003e`phrase`\u003c/div\u003e","note":"`json:message`","city":"K\u00f8benhavn"}"#,
            ),
            (1, "`ip` GET /out?to=`percent:url`&state=`alnum:12` `status` `message`"),
            (
                1,
                "\x1b[2m`iso`\x1b[0m \x1b[32m`LEVEL`\x1b[0m \x1b[1m`service`\x1b[0m: `message` \x1b[3mid\x1b[0m\x1b[2m=\x1b[0m`number:900000`",
            ),
            (
                1,
                r#"`iso` level=debug thumbnail="data:image/png;base64,iVBORw0KGgo`std64:160-284`" msg="`json:message`""#,
            ),
        ],
    ),
    // Secrets: alone, or where a key, header or URL says what they are.
    ("secret-message", &[(11, "`phrase` `lead` `token` from `ip`"), (9, "`phrase` `lead` `context-secret` rejected")]),
    ("lead", &[(1, "using"), (1, "got"), (1, "client sent"), (1, "environment: KEY="), (1, "configured with")]),
    (
        "token",
        &[
            (1, "`[aws_access_key`AK``IAQ`base32:15``]`"),
            (1, "`[github_token`gh``p_`crc:alnum30``]`"),
            (1, "`[github_pat`github``_pat_`alnum:22`_`alnum:59``]`"),
            (1, "`[gitlab_pat`gl``pat-`web64:20``]`"),
            (1, "`[slack_bot`xo``xb-`digit:12`-`digit:12`-`alnum:24``]`"),
            (1, "`[stripe_live`sk``_live_`alnum:24``]`"),
            (1, "`[openai_project`sk``-proj-`web64:74`T3Blb``kFJ`web64:74``]`"),
            (1, "`[anthropic_key`sk``-ant-api03-`web64:93`AA`]`"),
            (1, "`[google_api_key`AI``za`web64:35``]`"),
            (1, "`[jwt``base64url:jwt-header`.`base64url:jwt-claims`.`web64:43``]`"),
            (1, "`[npm_token`np``m_`crc:alnum30``]`"),
            (1, "`[pypi_token`py``pi-AgEIcHlwaS5vcmc`web64:60``]`"),
            (1, "`[sendgrid_key`S``G.`web64:22`.`web64:43``]`"),
            (1, "`[huggingface_token`h``f_`lower:34``]`"),
            (1, "`[digitalocean_token`do``p_v1_`hex:64``]`"),
            (1, "`[slack_webhook`https:``//hooks.slack.com/services/T`upnum:8`/B`upnum:8`/`alnum:24``]`"),
        ],
    ),
    ("alnum30", &[(1, "`alnum:30`")]),
    ("jwt-header", &[(2, r#"{"alg":"RS256","typ":"JWT","kid":"`hex:8`"}"#), (1, r#"{"alg":"HS256","typ":"JWT"}"#)]),
    ("jwt-claims", &[(1, r#"{"iss":"https://`domain`","sub":"`uuid`","iat":1750`digit:6`,"exp":1760`digit:6`}"#)]),
    (
        "context-secret",
        &[
            (2, "Authorization: Bea``rer `[bearer``web64:40-55``]`"),
            (2, "Authorization: Ba``sic `[basic``base64:basic-pair``]`"),
            (2, "postgres:``//svc_`number:256`:`[url_password``alnum:12-19``]`@db.example.com:5432/app"),
            (2, "pass``word=`[password``passphrase:10-17``]`"),
            (2, "api``_key=`[api_key``alnum:32``]`"),
            (2, "client``_secret=`[client_secret``web64:40``]`"),
            (2, "https://`domain`/cb?access``_token=`[access_token``web64:48``]`&state=ok"),
            (2, "X-Api``-Key: `[x_api_key``hex:40``]`"),
            (2, r#"{"user":"`first`","pass``word":"`[json_password``alnum:12-20``]`"}"#),
            (2, "Cookie: theme=dark; session``id=`[cookie``alnum:32``]`; lang=en"),
            (
                1,
                "-----BEGIN RSA ``PRIVATE KEY-----`newline``[pem``pem-row*6-12``std64:40`==`]``newline`-----END RSA ``PRIVATE KEY-----",
            ),
        ],
    ),
    ("basic-pair", &[(1, "`first``number:100`:`alnum:12-18`")]),
    ("pem-row", &[(1, "`std64:64``newline`")]),
    (
        "query-secret",
        &[
            (1, "/cb?access``_token=`[access_token``web64:48``]`&state=ok"),
            (1, "/api/v1/geo?api``_key=`[api_key``alnum:32``]`&q=`word`"),
            (1, "/hook?client``_secret=`[client_secret``web64:40``]`"),
        ],
    ),
];
