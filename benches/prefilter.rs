//! How fast the prefilter reads clean logs, and how many candidates it lets through. Not the speed of the whole engine.
//!
//! The haystack is made up, unless `INKOUT_BENCH_LOG` names a file. Tables are trained on one half and measured on the
//! other. Every row must find what the portable backend finds, or the benchmark fails. `cargo bench --bench prefilter`.

#![expect(clippy::print_stdout, reason = "candidates per megabyte are what the benchmark is about")]

use std::fmt::Write as _;
use std::hint::black_box;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use inkout::engine::byteset::ByteSet;
use inkout::engine::prefilter::{Backend, Counts, Literal, Prefilter, Scratch, Tables, tables};

const BLOCK: usize = 256 << 10;

/// Prefixes that stand by themselves.
const PREFIXES: &str = "\
    ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glft- glsoat- glcbt- glptt- glagent- glimt- _gitlab_session= \
    AKIA ASIA ABIA ACCA A3T xoxb- xoxp- xoxa- xoxr- xoxs- xoxe- xapp- hooks.slack.com/ discord.com/api/webhooks/ \
    sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ whsec_ sk-ant-api03- sk-ant-admin01- sk-proj- sk-svcacct- T3BlbkFJ \
    hf_ api_org_ gsk_ r8_ pplx- xai- npm_ pypi-AgEIcHlwaS rubygems_ dckr_pat_ dckr_oat_ dop_v1_ doo_v1_ dor_v1_ \
    shpat_ shpca_ shppa_ shpss_ sq0atp- sq0csp- EAAA AIza ya29. GOCSPX- AAAA 1// SG. key- pubkey- sendinblue xkeysib- \
    PMAK- PMAT- lin_api_ lin_oauth_ secret_ ntn_ figd_ figo_ atlasv1. .atlasv1. hvs. hvb. hvr. ATATT3 ATBB ATCTT3 \
    BBDC- cloudinary:// dapi dose tk- tfp_ v1.0- dp.pt. dp.st. dp.ct. dp.scim. duffel_test_ duffel_live_ dt0c01. \
    EZAK EZTK FLWPUBK_TEST FLWSECK_TEST fo1_ fm1_ fm1r_ fm2_ glc_ glsa_ eyJrIjoi ico- ion_ NRAK- NRII- NRJS- \
    nfp_ nvapi- oy2 p8e- pul- pscale_tkn_ pscale_pw_ pscale_oauth_ rdme_ rnd_ sgp_ slk_ sbp_ sntrys_ sntryu_ \
    AGE-SECRET-KEY-1 tfe- typeform TKN- vercel_ wpl_ xprv ZAPI zpka_ shippo_live_ shippo_test_ sl. sup_ \
    CLOJARS_ LTAI AKCp cmVmdGtu ops_ patw3 q~ 8Q~ 7Q~ MII LS0tLS1CRUdJTi -----BEGIN AccountKey= SharedAccessKey= \
    sig= SharedAccessSignature= mongodb+srv:// ://";

/// Words that name a secret, in any case.
const WORDS: &str = "\
    token password passwd passphrase secret credential api_key api-key apikey access_key access-key accesskey secret_key \
    private_key private-key privatekey authorization cookie connection_string connectionstring jsessionid phpsessid \
    client_secret signature x-amz-security bearer cvv= otp= pin= pwd= pwd: pwd\" pwd' pass= pass: auth= auth: auth\" \
    _key= _key: _key\" -key: session_id sessionid set-cookie x-auth x-api x-csrf account_key storage_key encryption_key \
    signing_key master_key ssh_key deploy_key license_key webhook_url";

fn literal(text: &str, set: fn(u8) -> ByteSet) -> Literal {
    Literal { sets: text.bytes().map(set).collect() }
}

fn followed(text: &str, classes: &[ByteSet]) -> Literal {
    Literal { sets: text.bytes().map(ByteSet::of).chain(classes.iter().copied()).collect() }
}

fn literals() -> Vec<Literal> {
    let word = ByteSet::from_bytes(b"-_").with_range(b'0', b'9').with_range(b'a', b'z').with_range(b'A', b'Z');
    let hex = ByteSet::EMPTY.with_range(b'0', b'9').with_range(b'a', b'f').with_range(b'A', b'F');
    let printable = ByteSet::EMPTY.with_range(b'2', b'7');
    let mut literals = Vec::new();
    for prefix in PREFIXES.split_whitespace() {
        literals.push(match prefix.len() {
            0..=3 if prefix != "://" => followed(prefix, &[word; 5]),
            _ => literal(prefix, ByteSet::of),
        });
    }
    literals.extend(WORDS.split_whitespace().map(|word| literal(word, ByteSet::fold)));
    literals.extend([followed("eyJ", &[word; 5]), followed("sk-", &[word; 8]), followed("SK", &[hex; 8])]);
    literals.extend([followed("\x1b[", &[]), followed("\\u00", &[printable, hex]), followed("%", &[printable, hex])]);
    literals.extend([followed("&#", &[ByteSet::from_bytes(b"x0123456789")]), followed("\\x", &[printable, hex])]);
    literals
}

/// Log lines of four families, about as dense in near misses as real ones.
fn made_up(bytes: usize) -> Vec<u8> {
    let (mut text, mut state) = (String::new(), 1u64);
    let mut next = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let services = ["checkout", "payments-api", "auth-service", "inventory", "mailer", "session-store"];
    let paths = ["/api/v1/orders", "/login?next=/home", "/static/app.js", "/healthz", "/v2/users/me/tokens"];
    while text.len() < bytes {
        let (a, b, c, d) = (next(1 << 31), next(60), next(1000), next(1 << 31));
        let service = services[next(6) as usize];
        let path = paths[next(5) as usize];
        let _ = match next(4) {
            0 => writeln!(
                text,
                r#"{{"ts":"2026-03-01T12:{b:02}:{b:02}.{c:03}Z","level":"info","service":"{service}","trace_id":"{a:016x}{d:016x}","msg":"request done","path":"{path}","status":200,"ms":{c}}}"#
            ),
            1 => writeln!(
                text,
                r#"10.2.{b}.{c} - - [01/Mar/2026:12:{b:02}:07 +0000] "GET {path}/{a} HTTP/1.1" 200 {d} "https://shop.example.com/{service}" "Mozilla/5.0 (X11; Linux x86_64)""#
            ),
            2 => writeln!(
                text,
                "time=2026-03-01T12:{b:02}:00Z level=warn caller={service}.go:{c} msg=\"token refreshed\" user={a} attempt={b} took={c}ms"
            ),
            _ => writeln!(
                text,
                "Mar  1 12:{b:02}:59 host-{b} sshd[{c}]: Failed password for invalid user admin from 10.0.{b}.9 port {c} ssh2"
            ),
        };
    }
    text.truncate(bytes);
    text.into_bytes()
}

fn haystack() -> Vec<u8> {
    match std::env::var_os("INKOUT_BENCH_LOG") {
        Some(path) => std::fs::read(path).expect("INKOUT_BENCH_LOG names a file that can be read"),
        None => made_up(16 << 20),
    }
}

fn find_all(prefilter: &Prefilter, scratch: &mut Scratch, haystack: &[u8]) -> Counts {
    let (mut hits, mut sum) = (Vec::new(), Counts::default());
    for block in haystack.chunks(BLOCK) {
        let counts = prefilter.find(scratch, block, &mut hits);
        sum.passed += counts.passed;
        sum.candidates += counts.candidates;
        sum.literal_hits += counts.literal_hits;
        black_box(&hits);
    }
    sum
}

fn backends(criterion: &mut Criterion, haystack: &[u8], literals: &[Literal], named: &str, tables: Option<&Tables>) {
    let mut scratch = Scratch::default();
    let portable = Prefilter::new(literals, tables, Backend::Portable);
    let expected = find_all(&portable, &mut scratch, haystack).literal_hits;
    let mut group = criterion.benchmark_group(format!("find/{named}"));
    group.throughput(Throughput::BytesDecimal(haystack.len() as u64)).sample_size(10);
    for backend in Backend::available() {
        let prefilter = Prefilter::new(literals, tables, backend);
        let counts = find_all(&prefilter, &mut scratch, haystack);
        assert_eq!(counts.literal_hits, expected, "{backend} finds what the portable backend finds");
        let per_megabyte = |count: u64| count as f64 * 1e6 / haystack.len() as f64;
        let [passed, candidates, hits] = [counts.passed, counts.candidates, counts.literal_hits].map(per_megabyte);
        println!("{named}, {backend}: {passed:.0} passed/MB, {candidates:.0} candidates/MB, {hits:.0} literals/MB");
        group.bench_function(BenchmarkId::from_parameter(backend), |bencher| {
            bencher.iter(|| find_all(&prefilter, &mut scratch, haystack));
        });
    }
    group.finish();
}

/// What the portable backend is measured against.
fn automaton(criterion: &mut Criterion, haystack: &[u8]) {
    let words = PREFIXES.split_whitespace().chain(WORDS.split_whitespace());
    let build = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).ascii_case_insensitive(true).build(words);
    let automaton = build.expect("the automaton is not too large");
    println!("aho-corasick DFA: {} KiB", automaton.memory_usage() >> 10);
    let mut group = criterion.benchmark_group("find/aho-corasick");
    group.throughput(Throughput::BytesDecimal(haystack.len() as u64)).sample_size(10);
    group.bench_function("DFA", |bencher| bencher.iter(|| automaton.find_overlapping_iter(haystack).count()));
    group.finish();
}

fn small(criterion: &mut Criterion, haystack: &[u8], literals: &[Literal], tables: &Tables) {
    let mut group = criterion.benchmark_group("find/100 bytes");
    let (mut scratch, mut hits) = (Scratch::default(), Vec::new());
    for backend in Backend::available() {
        let prefilter = Prefilter::new(literals, Some(tables), backend);
        let mut records = haystack.chunks_exact(100).cycle();
        group.bench_function(BenchmarkId::from_parameter(backend), |bencher| {
            bencher.iter(|| prefilter.find(&mut scratch, records.next().expect("endless"), &mut hits));
        });
    }
    group.finish();
}

fn start(criterion: &mut Criterion, literals: &[Literal], tables: &Tables) {
    let mut group = criterion.benchmark_group("new");
    for (named, tables) in [("ready tables", Some(tables)), ("dealt", None)] {
        group.bench_function(format!("{} literals, {named}", literals.len()), |bencher| {
            bencher.iter(|| Prefilter::new(literals, tables, Backend::detect()));
        });
    }
    group.finish();
}

fn prefilter(criterion: &mut Criterion) {
    let (literals, haystack) = (literals(), haystack());
    let (sample, haystack) = haystack.split_at(haystack.len() / 2);
    let sample = &sample[..sample.len().min(8 << 20)];
    let haystack = &haystack[..haystack.len().min(32 << 20)];
    let ready = tables::build(&literals, sample);
    println!("{} literals", literals.len());
    backends(criterion, haystack, &literals, "trained", Some(&ready));
    backends(criterion, haystack, &literals, "dealt", None);
    automaton(criterion, &haystack[..haystack.len().min(4 << 20)]);
    small(criterion, haystack, &literals, &ready);
    start(criterion, &literals, &ready);
}

criterion_group!(benches, prefilter);
criterion_main!(benches);
