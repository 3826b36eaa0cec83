//! Every form of a value is found where it stands, and nothing is found that `naive` does not find.

use proptest::prelude::*;

use super::*;

/// Letters and digits from a seed: no value of a test is a secret's shape in the source.
fn letters(seed: u64, len: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ALPHABET[(state >> 33) as usize % ALPHABET.len()] as char
    };
    (0..len).map(|_| next()).collect()
}

fn value(name: &str, value: impl Into<Vec<u8>>) -> KnownValue {
    KnownValue { name: name.to_owned(), value: value.into() }
}

fn known(values: &[&str]) -> Known {
    let values = values.iter().map(|text| value("v", *text)).collect();
    let (known, skipped) = Known::new(values);
    assert!(skipped.is_empty(), "{skipped:?}");
    known
}

fn find(known: &Known, haystack: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found = vec![(1..2, 3)];
    known.find(&mut KnownScratch::default(), haystack, &mut found);
    found
}

/// What `haystack` looks like with overlapping findings united and masked.
fn masked(known: &Known, haystack: &[u8]) -> String {
    let (mut out, mut from) = (String::new(), 0);
    for (span, _) in find(known, haystack) {
        if span.start > from || out.is_empty() {
            out += &String::from_utf8_lossy(&haystack[from..span.start.max(from)]);
            out += "#";
        }
        from = from.max(span.end);
    }
    out + &String::from_utf8_lossy(&haystack[from..])
}

/// Each form of `text` is found in text of any alignment, exactly.
#[track_caller]
fn check(text: &str, forms: &[&str]) {
    let known = known(&[text]);
    for form in forms {
        for before in [" ", "x=\"", "path: ", "a long line of text that comes before "] {
            let haystack = format!("{before}{form}\" and more");
            assert_eq!(masked(&known, haystack.as_bytes()), format!("{before}#\" and more"), "{form}");
        }
    }
}

#[test]
fn every_escape_of_a_value_is_found() {
    let text = "pa$$ w/rd<\"q'&\\\tü>~9";
    check(
        text,
        &[
            text,
            // JSON: serde, slash, Go, Python; twice; three times.
            r#"pa$$ w/rd<\"q'&\\\tü>~9"#,
            r#"pa$$ w\/rd<\"q'&\\\tü>~9"#,
            r#"pa$$ w/rd\u003c\"q'\u0026\\\tü\u003e~9"#,
            r#"pa$$ w/rd<\"q'&\\\t\u00fc>~9"#,
            r#"pa$$ w/rd<\\\"q'&\\\\\\tü>~9"#,
            r#"pa$$ w/rd<\\\\\\\"q'&\\\\\\\\\\\\tü>~9"#,
            // URL: encodeURIComponent, RFC 3986 in both cases, form, encodeURI, twice.
            "pa%24%24%20w%2Frd%3C%22q'%26%5C%09%C3%BC%3E~9",
            "pa%24%24%20w%2Frd%3C%22q%27%26%5C%09%C3%BC%3E~9",
            "pa%24%24%20w%2frd%3c%22q%27%26%5c%09%c3%bc%3e~9",
            "pa%24%24+w%2Frd%3C%22q%27%26%5C%09%C3%BC%3E%7E9",
            "pa$$%20w/rd%3C%22q'&%5C%09%C3%BC%3E~9",
            "pa%2524%2524%2520w%252Frd%253C%2522q%2527%2526%255C%2509%25C3%25BC%253E~9",
            // XML and HTML.
            "pa$$ w/rd&lt;\"q'&amp;\\\tü&gt;~9",
            "pa$$ w/rd&lt;&quot;q&apos;&amp;\\\tü&gt;~9",
            "pa$$ w/rd&lt;&#34;q&#39;&amp;\\\tü&gt;~9",
            "pa$$ w/rd&#60;&#34;q&#39;&#38;\\\tü&#62;~9",
            "pa$$ w/rd&#x3c;&#x22;q&#x27;&#x26;\\\tü&#x3e;~9",
            // Shell: single quotes two ways, double quotes; a build tool's dollar.
            "pa$$ w/rd<\"q'\"'\"'&\\\tü>~9",
            "pa$$ w/rd<\"q'\\''&\\\tü>~9",
            "pa\\$\\$ w/rd<\\\"q'&\\\\\tü>~9",
            "pa$$$$ w/rd<\"q'&\\\tü>~9",
            // Go and C, Python.
            r#"pa$$ w/rd<\"q'&\\\t\xc3\xbc>~9"#,
            r#"pa$$ w/rd<\"q'&\\\t\303\274>~9"#,
            r#"pa$$ w/rd<"q\'&\\\tü>~9"#,
            r#"pa$$ w/rd<"q'&\\\t\xc3\xbc>~9"#,
        ],
    );
    check("two words; done", &[r"two\ words\;\ done"]);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn base64_is_found_at_every_alignment_whatever_stands_around() {
    let text = letters(3, 20) + "?>~";
    let known = known(&[&text]);
    for before in 0..6 {
        for after in 0..4 {
            let inner = [vec![b'<'; before], text.clone().into_bytes(), vec![b'\n'; after]].concat();
            let once = base64(&inner);
            for blob in [once.clone(), once.replace('+', "-").replace('/', "_"), base64(once.as_bytes())] {
                let found = find(&known, blob.as_bytes());
                assert!(
                    found
                        .iter()
                        .any(|(span, _)| span.len() + 12 + blob.len() * (before + after) / inner.len() >= blob.len()),
                    "{before} {after}"
                );
            }
            let wide: Vec<u8> = inner.iter().flat_map(|byte| [*byte, 0]).collect();
            assert!(!find(&known, base64(&wide).as_bytes()).is_empty());
        }
    }
}

#[test]
fn hex_is_found_in_either_case_and_with_marks() {
    let text = letters(5, 9);
    let hex = |mark: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(mark);
    let escaped: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    check(&text, &[&hex(""), &hex("").to_uppercase(), &hex(":"), &hex(":").to_uppercase(), &escaped]);
}

#[test]
fn a_value_of_several_lines_is_found_line_by_line_and_whole() {
    let lines = [letters(1, 64), letters(2, 64), letters(3, 7)];
    let text = format!("-----BEGIN KEY-----\n{}\n{}\n{}\n-----END KEY-----\n", lines[0], lines[1], lines[2]);
    let known = known(&[&text]);
    let shown = |haystack: &str| masked(&known, haystack.as_bytes());
    assert_eq!(shown(&format!("a {} b\n{}\n", lines[1], lines[0])), "a # b\n#\n");
    assert_eq!(shown(&format!("{}\n", lines[2])), "#\n", "a short line is found by itself, for it may come by itself");
    assert_eq!(shown(&format!("x{}\n", lines[2])), format!("x{}\n", lines[2]), "but as a word");
    assert_eq!(shown("-----BEGIN KEY-----\nx\n"), "-----BEGIN KEY-----\nx\n");
    let whole = "-----BEGIN KEY-----\n#\n#\n#\n-----END KEY-----\n";
    assert_eq!(shown(&text), whole);
    assert_eq!(shown(&text.replace('\n', "\r\n")), whole.replace('\n', "\r\n"));
    assert_eq!(shown(&format!("x={} y", text.trim().replace('\n', " "))), "x=# y");
    assert_eq!(shown(&format!("x={} y", text.trim().replace('\n', "\\n"))), "x=# y");
    assert_eq!(shown(&format!("x={} y", text.trim().replace('\n', "\\\\n"))), "x=# y");
}

#[test]
fn a_line_that_was_cut_within_a_value_is_masked_to_its_end() {
    for len in [13, 16, 20, 24, 25, 40, 200] {
        let text = letters(len as u64, len);
        let known = known(&[&text]);
        for cut in 1..=len {
            for end in ["", "\n", "\r\n", "\nnext"] {
                let haystack = format!("some text {}{end}", &text[..cut]);
                let long = cut >= 12 && cut * 5 >= len * 3;
                let expected = if long { format!("some text #{end}") } else { haystack.clone() };
                assert_eq!(masked(&known, haystack.as_bytes()), expected, "{cut} of {len}");
            }
            if cut < len {
                assert!(find(&known, format!("{} goes on", &text[..cut]).as_bytes()).is_empty());
            }
        }
    }
}

#[test]
fn a_short_word_is_found_at_word_boundaries_only() {
    let word = letters(8, 8);
    let known = known(&[&word]);
    for (haystack, found) in [("a {} b", true), ("a{} b", false), ("{}s", false), ("\\n{}\\n", true), ("x%3D{}&", true)]
    {
        let haystack = haystack.replace("{}", &word);
        assert_eq!(!find(&known, haystack.as_bytes()).is_empty(), found, "{haystack}");
    }
}

#[test]
fn what_is_not_looked_for_is_named_and_never_shown() {
    let (long, good) = ("z9".repeat(20_000), letters(7, 24));
    let values = [&letters(1, 5), "aaaaaaaaaaaa", "Production", "undefined", "REDACTED", &long, &good, &good];
    let values = values.iter().enumerate().map(|(at, text)| value(&format!("V{at}"), *text)).collect::<Vec<_>>();
    let shown = format!("{values:?}");
    let (known, skipped) = Known::new(values);
    let reasons: Vec<_> = skipped.iter().map(|skipped| (skipped.index, skipped.reason)).collect();
    let worthless = SkipReason::Worthless;
    let expected = [
        (0, SkipReason::TooShort),
        (1, worthless),
        (2, worthless),
        (3, worthless),
        (4, worthless),
        (5, SkipReason::TooLong),
        (7, SkipReason::Duplicate { of: 6 }),
    ];
    assert_eq!(reasons, expected);
    let told: String = skipped.iter().map(|skipped| format!("{skipped} {skipped:?}")).collect();
    for text in [shown, told, format!("{known:?}")] {
        assert!(!text.contains(&good) && !text.contains("aaaa") && !text.contains(&letters(1, 5)), "{text}");
    }
    assert_eq!(find(&known, good.as_bytes()), [(0..24, 6)]);
    assert_eq!((known.name(6), known.len()), (Some("V6"), 8));
}

#[test]
fn values_with_a_common_head_are_told_apart() {
    let texts: Vec<String> = (0..300).map(|at| format!("postgres://service:{}@db/app", letters(at, 20))).collect();
    let known = known(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    for (at, text) in texts.iter().enumerate() {
        assert_eq!(find(&known, format!("to {text}!").as_bytes()), [(3..3 + text.len(), at)]);
    }
}

/// A haystack of pieces: forms, beginnings of forms, text.
fn haystack(known: &Known, picks: &[(u16, u16, u8)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (form, cut, between) in picks {
        let bytes = known.bytes(&known.forms[usize::from(*form) % known.forms.len()]);
        let len = if cut % 3 == 0 { usize::from(*cut) % (bytes.len() + 1) } else { bytes.len() };
        out.extend_from_slice(&bytes[..len]);
        let text: &[u8] = [&b"\n"[..], b" ", b"\r\n", b"", b"ab", b"=\"x\" "][usize::from(*between) % 6];
        out.extend_from_slice(text);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_found_is_what_naive_finds(
        texts in prop::collection::vec("[a-c&<\"\\\\ /$']{6,30}|[a-zA-Z0-9]{6,12}|[ab]{16,20}\n[a-f0-9]{20}", 1..4),
        picks in prop::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 0..12),
    ) {
        let values = texts.iter().map(|text| value("v", text.as_str())).collect();
        let (known, _) = Known::new(values);
        prop_assume!(!known.is_empty());
        let haystack = haystack(&known, &picks);
        prop_assert_eq!(find(&known, &haystack), naive::find(&known, &haystack));
    }
}
