//! Writes a corpus of `corpus/mod.rs` to a file: `cargo run --release --example corpus -- --size 512M --out clean.log`.
//! It decides nothing about the bytes.

mod corpus;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

const USAGE: &str = "usage: corpus --out FILE [--size 512M] [--every N] [--seed N] [--truth FILE.tsv]

  --size   bytes, with K, M or G for powers of 1024
  --every  one line in N carries a secret; 0, the default, is a clean corpus
  --truth  offset, length, kind and line of every secret, tab separated";

struct Arguments {
    spec: corpus::Spec,
    out: String,
    truth: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = parse(std::env::args().skip(1))?;
    let corpus = corpus::generate(&arguments.spec);
    File::create(&arguments.out)?.write_all(&corpus.bytes)?;
    if let Some(path) = arguments.truth {
        write_truth(&path, &corpus)?;
    }
    Ok(())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let mut spec = corpus::Spec { bytes: 512 << 20, seed: 1, secret_every: 0 };
    let (mut out, mut truth) = (None, None);
    while let Some(flag) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--size" => spec.bytes = size(&value)?,
            "--every" => spec.secret_every = value.parse()?,
            "--seed" => spec.seed = value.parse()?,
            "--out" => out = Some(value),
            "--truth" => truth = Some(value),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(Arguments { spec, out: out.ok_or(USAGE)?, truth })
}

fn size(text: &str) -> Result<usize, Box<dyn Error>> {
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(USAGE.into()),
    };
    Ok(digits.parse::<usize>()? << shift)
}

fn write_truth(path: &str, corpus: &corpus::Corpus) -> Result<(), Box<dyn Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    for secret in &corpus.truth {
        writeln!(file, "{}\t{}\t{}\t{}", secret.offset, secret.len, secret.kind, secret.line)?;
    }
    Ok(file.flush()?)
}
