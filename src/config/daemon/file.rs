//! Reads the text of the file. Settings of redaction are read by the same code as those of the plain command's file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::super::file::{self, Source as File};
use super::super::{Config, ConfigError, nearest};
use super::tables::{FileTable, PipelineTable};
use super::{Daemon, FindingsOptions, HashKeyFrom, Observe, Pipeline, Sink, endpoint, yaml};

/// Settings of redaction that are the process's and no pipeline's own.
const NOT_A_PIPELINES: [&str; 1] = ["threads"];

pub(super) fn parse(name: &str, text: &str, variable: &dyn Fn(&str) -> bool) -> Result<Daemon, ConfigError> {
    let is_yaml = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let file = File::new(name, text);
    let refuse = |fault: yaml::Fault| file.error(fault.at, fault.reason);
    let document = if is_yaml { Some(yaml::Document::read(text).map_err(refuse)?) } else { None };
    let root = match &document {
        Some(document) => document.tree(),
        None => DeTable::parse(text).map_err(|error| yaml::fault(&error)),
    };
    let mut root = root.map_err(refuse)?;
    let reader = Reader { file, variable };
    let redact = reader.redact(root.get_mut(), Config::default())?;
    let settings = reader.pipelines_settings(root.get_mut(), &redact)?;
    let tables = FileTable::deserialize(Deserializer::from(root)).map_err(|error| reader.explain(&error))?;
    reader.daemon(tables, redact, settings)
}

struct Reader<'t> {
    file: File<'t>,
    variable: &'t dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    /// Takes the settings of redaction out of `table` and puts them over `base`.
    fn redact(&self, table: &mut DeTable<'_>, base: Config) -> Result<Config, ConfigError> {
        let mut config = base;
        let mut audit = None;
        for key in file::KEYS {
            let Some((key, value)) = table.remove_entry(key) else { continue };
            self.file.set(&mut config, &key, &value)?;
            if key.get_ref() == "mode" {
                audit = Some(value.span());
            }
        }
        self.file.check_audit(&config, audit)?;
        Ok(config)
    }

    /// The settings of each pipeline, in their order.
    fn pipelines_settings(&self, root: &mut DeTable<'_>, base: &Config) -> Result<Vec<Config>, ConfigError> {
        let Some(DeValue::Array(pipelines)) = root.get_mut("pipeline").map(Spanned::get_mut) else { return Ok(vec![]) };
        let mut settings = Vec::new();
        for pipeline in pipelines.iter_mut() {
            let DeValue::Table(table) = pipeline.get_mut() else { continue };
            if let Some((key, _)) = NOT_A_PIPELINES.iter().find_map(|key| table.get_key_value(*key)) {
                let reason = format!("`{}` is set once for all pipelines, at the top of the file", key.get_ref());
                return Err(self.file.error(key.span(), reason));
            }
            settings.push(self.redact(table, base.clone())?);
        }
        Ok(settings)
    }

    fn daemon(&self, tables: FileTable, redact: Config, settings: Vec<Config>) -> Result<Daemon, ConfigError> {
        if tables.pipeline.is_empty() {
            let reason = "there is no pipeline; write [[pipeline]] with `source` and `sinks`".to_owned();
            return Err(self.file.error(0..0, reason));
        }
        let key = self.hash_key(tables.hash_key_file, tables.hash_key_env)?;
        let mut pipelines = Vec::new();
        for (number, (table, redact)) in tables.pipeline.into_iter().zip(settings).enumerate() {
            let mut pipeline = self.pipeline(number, table, redact)?;
            pipeline.hash_key = pipeline.hash_key.or_else(|| key.clone());
            pipelines.push(pipeline);
        }
        Ok(Daemon {
            redact,
            drain_deadline: tables.drain_deadline.0,
            on_fatal: tables.on_fatal,
            state_dir: tables.state_dir.map(|path| self.file.beside(&path)),
            partial_records_bytes: tables.partial_records.0,
            observe: Observe {
                admin: tables.admin,
                metrics: tables.metrics,
                findings: tables.findings.map(|findings| self.findings_beside(findings)),
                log: tables.log,
            },
            pipelines: self.distinct(pipelines)?,
        })
    }

    fn pipeline(&self, number: usize, table: Spanned<PipelineTable>, redact: Config) -> Result<Pipeline, ConfigError> {
        let at = table.span();
        let table = table.into_inner();
        let name = match &table.name {
            Some(name) if !is_name(name.get_ref()) => {
                let reason =
                    format!("`{}` is no name; allowed are 1 to 64 letters, digits, `-` and `_`", name.get_ref());
                return Err(self.file.error(name.span(), reason));
            }
            Some(name) => name.get_ref().clone(),
            None if number == 0 => "main".to_owned(),
            None => return Err(self.file.error(at, "a pipeline beside others needs a `name`".to_owned())),
        };
        let source_at = table.source.span();
        let mut source = endpoint::source(&table.source.get_ref().0)
            .map_err(|error| self.file.error(source_at, error.to_string()))?;
        let mut sinks = Vec::new();
        for sink in table.sinks.get_ref() {
            let parsed = endpoint::sink(&sink.get_ref().0, source.framing);
            sinks.push(parsed.map_err(|error| self.file.error(sink.span(), error.to_string()))?);
        }
        for path in source.paths().into_iter().chain(sinks.iter_mut().flat_map(Sink::paths)) {
            *path = self.file.beside(path);
        }
        if sinks.is_empty() {
            return Err(self
                .file
                .error(table.sinks.span(), "`sinks` is empty; a pipeline needs one at least".to_owned()));
        }
        endpoint::fit(&source, &sinks).map_err(|error| self.file.error(at, error.to_string()))?;
        name_sinks(&mut sinks);
        self.named_apart(&sinks, table.sinks.span())?;
        let hash_key = self.hash_key(table.hash_key_file, table.hash_key_env)?;
        Ok(Pipeline { name, redact, hash_key, source, sinks, record_id: table.record_id })
    }

    fn findings_beside(&self, mut findings: FindingsOptions) -> FindingsOptions {
        if !findings.is_stdout() {
            findings.path = self.file.beside(&findings.path);
        }
        findings
    }

    /// Sinks of one name would share counters and a spool.
    fn named_apart(&self, sinks: &[Sink], at: std::ops::Range<usize>) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        for sink in sinks {
            let reason = if !names.insert(&sink.name) {
                format!("two sinks are named `{}`", sink.name)
            } else if sink.spool.is_some() && !is_name(&sink.name) {
                format!("`{}` cannot name a spool; allowed are 1 to 64 letters, digits, `-` and `_`", sink.name)
            } else {
                continue;
            };
            return Err(self.file.error(at, reason));
        }
        Ok(())
    }

    fn hash_key(
        &self,
        file: Option<PathBuf>,
        variable: Option<Spanned<String>>,
    ) -> Result<Option<HashKeyFrom>, ConfigError> {
        let Some(name) = variable else { return Ok(file.map(|path| HashKeyFrom::File(self.file.beside(&path)))) };
        let reason = match file {
            Some(_) => "`hash_key_file` and `hash_key_env` exclude each other".to_owned(),
            None if !(self.variable)(name.get_ref()) => format!("environment variable `{}` is not set", name.get_ref()),
            None => return Ok(Some(HashKeyFrom::Environment(name.into_inner()))),
        };
        Err(self.file.error(name.span(), reason))
    }

    /// Two of one name would share counters, and two on one file or one standard input would tear each other's records.
    fn distinct(&self, pipelines: Vec<Pipeline>) -> Result<Vec<Pipeline>, ConfigError> {
        let mut names = BTreeSet::new();
        let (mut files, mut spools) = (BTreeSet::new(), BTreeSet::new());
        let mut stdin = 0;
        for pipeline in &pipelines {
            for sink in &pipeline.sinks {
                if let Some(folder) = sink.spool.as_ref().and_then(|spool| spool.folder.as_ref())
                    && !spools.insert(folder)
                {
                    return Err(self.file.error(0..0, format!("two spools are in `{}`", folder.display())));
                }
                if let super::SinkKind::File(options) = &sink.kind
                    && !files.insert(options.path.to_string())
                {
                    return Err(self.file.error(0..0, format!("two sinks write `{}`", options.path)));
                }
            }
            stdin += usize::from(pipeline.source.kind == super::SourceKind::Stdin);
            if !names.insert(&pipeline.name) {
                return Err(self.file.error(0..0, format!("two pipelines are named `{}`", pipeline.name)));
            }
        }
        if stdin > 1 {
            return Err(self.file.error(0..0, "two pipelines read standard input".to_owned()));
        }
        Ok(pipelines)
    }

    /// A parser's message in the words of ours, with the nearest known key.
    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let fault = yaml::fault(error);
        let quoted: Vec<&str> = fault.reason.split('`').skip(1).step_by(2).collect();
        let reason = match quoted.split_first() {
            Some((unknown, known)) if fault.reason.starts_with("unknown ") && !known.is_empty() => {
                let what = fault
                    .reason
                    .split(' ')
                    .nth(1)
                    .unwrap_or_default()
                    .replace("field", "key")
                    .replace("variant", "value");
                let meant = nearest(unknown, known.iter().copied()).unwrap_or_default();
                format!("unknown {what} `{unknown}`; did you mean `{meant}`? known: {}", known.join(", "))
            }
            _ => fault.reason.replace("missing field", "missing key"),
        };
        self.file.error(fault.at, reason)
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// Sinks without a name are called after their type, and their number where there are several.
pub(super) fn name_sinks(sinks: &mut [Sink]) {
    let mut taken: BTreeSet<String> = sinks.iter().map(|sink| sink.name.clone()).collect();
    for sink in sinks.iter_mut().filter(|sink| sink.name.is_empty()) {
        let kind = match sink.kind {
            super::SinkKind::Stdout => "stdout",
            super::SinkKind::Tcp { .. } => "tcp",
            super::SinkKind::Tls { .. } => "tls",
            super::SinkKind::Unix { .. } => "unix",
            super::SinkKind::File(_) => "file",
            super::SinkKind::Otlp(_) => "otlp",
        };
        let numbered = (2..).map(|number| format!("{kind}-{number}"));
        let free = std::iter::once(kind.to_owned()).chain(numbered).find(|name| !taken.contains(name));
        sink.name = free.expect("there are more numbers than sinks");
        taken.insert(sink.name.clone());
    }
}
