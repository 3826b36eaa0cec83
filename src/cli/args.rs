//! The arguments: what may be said, and the help that says it. What it means is `setup`'s and the subcommands'.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

#[cfg(feature = "daemon")]
use crate::config::daemon::Listen;

const RULES: &str = "Rules";
const KNOWN: &str = "Known values";
const OUTPUT: &str = "What is written";
const REPORT: &str = "Report";
const RUNNING: &str = "Running";

/// Masks secrets in logs and changes nothing else
///
/// Reads the files, or standard input, and writes them to standard output with every secret replaced. Whole lines are
/// written as soon as they are read.
#[derive(Debug, Parser)]
#[command(
    name = "inkout",
    bin_name = "inkout",
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done, 2 wrong arguments or rules (nothing was read), 3 something could not be read, written \
                  or inspected.",
    max_term_width = 110
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// Print the version, the rule set's version and hash, and the instructions in use
    #[arg(short = 'V', long)]
    pub(super) version: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// `inkout [FILE]…`
#[derive(Args, Debug)]
pub(super) struct FilterArgs {
    /// What to read, one after the other; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    /// Change nothing, count everything: a look before the rules are trusted
    #[arg(long, help_heading = OUTPUT)]
    pub(super) audit: bool,
    /// Let placeholders stand out
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = OUTPUT)]
    pub(super) color: ColorWhen,
    /// Print counts on standard error at the end; `rules` adds what each rule cost
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "findings",
        help_heading = REPORT
    )]
    pub(super) stats: Option<StatsWhat>,
    /// Go on with what is added to the files, through rotation, until interrupted
    #[cfg(feature = "daemon")]
    #[arg(short = 'F', long, requires = "files", conflicts_with = "threads", help_heading = RUNNING)]
    pub(super) follow: bool,
    /// With -F: remember in this file what was written, and go on there the next time
    #[cfg(feature = "daemon")]
    #[arg(long, value_name = "FILE", requires = "follow", help_heading = RUNNING)]
    pub(super) checkpoint: Option<PathBuf>,
    /// Threads; 0 is one for each processor. Without it, as many as pay
    #[arg(short = 'j', long, value_name = "N", value_parser = threads, help_heading = RUNNING)]
    pub(super) threads: Option<usize>,
}

/// What every command that compiles rules takes.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct EngineArgs {
    /// Add the rules of this file, or of every *.toml in this folder (repeatable)
    #[arg(long = "rules", value_name = "PATH", help_heading = RULES)]
    pub(super) rules: Vec<PathBuf>,
    /// Start without the rules that come with inkout
    #[arg(long, help_heading = RULES)]
    pub(super) no_builtin: bool,
    /// Refuse to start unless the rules that come with inkout have this version or hash, as --version prints them
    #[arg(long, value_name = "VERSION|HASH", help_heading = RULES)]
    pub(super) rules_pin: Option<String>,
    /// Use a policy that comes with inkout: credentials, pci, gdpr, hipaa. `inkout rules show NAME` prints it
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = RULES)]
    pub(super) profile: Vec<String>,
    /// Switch on these rules or categories and no others
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = RULES)]
    pub(super) only: Vec<String>,
    /// Leave in the clear what the [[allow]] entries of every *.toml in this folder say; `inkout allow` writes them
    #[arg(long, value_name = "DIR", help_heading = RULES)]
    pub(super) allow_dir: Option<PathBuf>,
    /// Switch these rules or categories off
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = RULES)]
    pub(super) disable: Vec<String>,
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE", env = "INKOUT_CONFIG", hide_env_values = true, help_heading = RULES)]
    pub(super) config: Option<PathBuf>,
    /// What is done to credentials
    #[arg(long, value_name = "ACTION", help_heading = OUTPUT)]
    pub(super) action: Option<ActionName>,
    /// Mask these values wherever and however encoded they stand: one per line, at least 6 bytes each (repeatable)
    #[arg(long, value_name = "FILE", help_heading = KNOWN)]
    pub(super) known_values: Vec<PathBuf>,
    /// Mask the values of these environment variables; `*` and `?` may stand in a name
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = KNOWN)]
    pub(super) known_env: Vec<String>,
    /// Mask every value of this file of NAME=value lines (repeatable)
    #[arg(long, value_name = "FILE", help_heading = KNOWN)]
    pub(super) known_dotenv: Vec<PathBuf>,
    /// Mask the content of every file in this folder: mounted Kubernetes or Docker secrets (repeatable)
    #[arg(long, value_name = "DIR", help_heading = KNOWN)]
    pub(super) known_dir: Vec<PathBuf>,
    /// Write this in place of a secret; {rule} is the rule's id
    #[arg(long, value_name = "TEMPLATE", help_heading = OUTPUT)]
    pub(super) placeholder: Option<String>,
    /// Mask a value that was masked because of its key in the next N lines too, without its key; 0 is off
    #[arg(long, value_name = "N", value_parser = learn_records, help_heading = RULES)]
    pub(super) learn_records: Option<usize>,
    /// Read the key of the `hash` action from this file, or from INKOUT_HASH_KEY; at least 16 bytes
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(super) hash_key_file: Option<PathBuf>,
}

/// When placeholders are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What `--stats` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StatsWhat {
    /// Bytes, lines, findings and speed
    Findings,
    /// Also what each rule cost
    Rules,
}

/// Actions by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ActionName {
    /// A placeholder that names the rule
    Replace,
    /// Four stars and the last characters
    Mask,
    /// A keyed fingerprint: the same for the same secret
    Hash,
    /// Nothing
    Remove,
    /// The first twelve characters, a third at most, and four stars
    Prefix12,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Look for secrets in files and folders and change nothing: for CI and commit hooks
    #[cfg(feature = "archives")]
    Check(super::check::CheckArgs),
    /// Show only the lines that would change, already masked, and why
    Preview(PreviewArgs),
    /// Clean files, folders and archives: in place, or into another folder
    #[cfg(feature = "archives")]
    Clean(super::clean::CleanArgs),
    /// Say which rule found what in the lines on standard input, and what nearly was found
    Explain(ExplainArgs),
    /// Run a program and mask what it prints
    ///
    /// Standard output and standard error are masked each by itself. The values of environment variables with a secret's name
    /// are known, and so are the passwords of URLs in the others. Signals are handed on, and the exit code is the program's.
    #[cfg(feature = "exec")]
    #[command(
        after_help = "Exit codes: the program's, 128 and the number of the signal that ended it, 127 it is not there, \
                            126 it cannot be run, 2 wrong arguments or rules (it was not run), 3 it ended with 0 and its \
                            output could not be passed on or inspected."
    )]
    Exec(ExecArgs),
    /// Leave a false positive in the clear for a while
    ///
    /// Writes one file into the folder of --allow-dir or of `allow_dir` in the configuration.
    Allow(Box<AllowArgs>),
    /// List, show and check rules
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Write or check a configuration file
    Config {
        #[command(subcommand)]
        command: super::config::ConfigCommand,
    },
    /// Tell the tokens that a value became under a key; the value is read from standard input
    #[cfg(feature = "archives")]
    Fingerprint(super::fingerprint::FingerprintArgs),
    /// Read the findings stream of a daemon
    #[cfg(feature = "daemon")]
    Findings {
        #[command(subcommand)]
        command: FindingsCommand,
    },
    /// Follow sockets and streams until told to stop, and pass on what they carry, masked
    #[cfg(feature = "daemon")]
    Run(RunArgs),
    /// Print a demo log full of made-up secrets
    Sample,
    /// Measure the speed on a log of your own, and which rules cost most
    Bench(BenchArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// `inkout preview`
#[derive(Args, Debug)]
pub(super) struct PreviewArgs {
    /// What to read; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// `inkout explain`
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// `inkout exec`
#[cfg(feature = "exec")]
#[derive(Args, Debug)]
pub(super) struct ExecArgs {
    /// The program and its arguments
    #[arg(value_name = "CMD", last = true, required = true)]
    pub(super) command: Vec<std::ffi::OsString>,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    /// Print counts on standard error at the end
    #[arg(long, help_heading = REPORT)]
    pub(super) stats: bool,
}

/// `inkout allow`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct AllowArgs {
    /// Findings of this rule
    #[arg(long, value_name = "ID", required_unless_present_any = ["path", "source", "regex", "fingerprint"])]
    pub(super) rule: Option<String>,
    /// Values of this key, or in JSON of these keys from the outside in, joined by dots; `*` is any text
    #[arg(long, value_name = "PATH")]
    pub(super) path: Option<String>,
    /// Values of this input; `*` is any text
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<String>,
    /// Values that match this regex as a whole
    #[arg(long, value_name = "REGEX", conflicts_with = "fingerprint")]
    pub(super) regex: Option<String>,
    /// The value of this fingerprint
    #[arg(long, value_name = "HEX")]
    pub(super) fingerprint: Option<String>,
    /// How long: a number and m, h, d or w
    #[arg(long = "for", value_name = "TIME", required = true)]
    pub(super) lasting: Option<String>,
    /// Why; it is kept beside the entry
    #[arg(long, value_name = "TEXT", required = true)]
    pub(super) reason: Option<String>,
    /// Known values and values whose checksum is right, too
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    #[command(subcommand)]
    pub(super) command: Option<AllowCommand>,
}

/// `inkout allow list`
#[derive(Debug, Subcommand)]
pub(super) enum AllowCommand {
    /// Print every entry, until when it holds, and why it is there
    List(AllowListArgs),
}

/// `inkout allow list`
#[derive(Args, Debug)]
pub(super) struct AllowListArgs {
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// `inkout rules`
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Print one line for each rule
    List(ListArgs),
    /// Print everything about a rule, or about `keys`, or a profile
    Show(ShowArgs),
    /// Run the examples and counter-examples of the built-in rules and of these files
    Check(RulesCheckArgs),
    /// Print the rules in use as one rule file
    Export(ExportArgs),
    /// Print the rules of a gitleaks or betterleaks file as a rule file of ours, and say what cannot be kept
    Import(ImportArgs),
    /// Print which lines of a log a change of rules masks newly, and which no longer
    Diff(DiffArgs),
}

/// `inkout rules list`
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Print JSON, one object for each rule
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// `inkout rules export`
#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// `inkout rules import`
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// The file to be read
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
}

/// `inkout rules diff`
#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The rules before: a file, a folder of them, or `builtin`; `inkout rules export` writes one
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,
    /// The rules behind
    #[arg(value_name = "NEW")]
    pub(super) new: PathBuf,
    /// A log; `-` is standard input (repeatable)
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) on: Vec<PathBuf>,
}

/// `inkout rules show`
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// A rule's id, `keys` for the table of secret keys, or a profile's name
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

/// `inkout rules check`
#[derive(Args, Debug)]
pub(super) struct RulesCheckArgs {
    /// Rule files, or folders of them
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

/// `inkout findings`
#[cfg(feature = "daemon")]
#[derive(Debug, Subcommand)]
pub(super) enum FindingsCommand {
    /// Print each leaked secret once, and for how long it was exposed
    Summarize(SummarizeArgs),
}

/// `inkout findings summarize`
#[cfg(feature = "daemon")]
#[derive(Args, Debug)]
pub(super) struct SummarizeArgs {
    /// Findings streams, older ones too; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Print JSON, one object for each secret
    #[arg(long)]
    pub(super) json: bool,
}

/// `inkout run`
#[cfg(feature = "daemon")]
#[derive(Args, Clone, Debug)]
pub(super) struct RunArgs {
    /// Where records come from: stdin, file:PATTERN, tcp:ADDRESS, unix:PATH, otlp[:GRPC_ADDRESS[,HTTP_ADDRESS]]
    #[arg(long, value_name = "SOURCE", requires = "to")]
    pub(super) from: Option<String>,
    /// Where they go: stdout, file:PATH, tcp:ADDRESS, tls:ADDRESS, unix:PATH (repeatable); otlp:URL (gRPC), otlp+http://HOST:PORT
    #[arg(long, value_name = "SINK", requires = "from")]
    pub(super) to: Vec<String>,
    /// Serve health, metrics and a status page here: ADDRESS:PORT, unix:PATH or off
    #[arg(long, value_name = "WHERE", value_parser = Listen::parse)]
    pub(super) admin: Option<Listen>,
    /// The folder for what a later run has to know, such as how far files were read
    #[arg(long, value_name = "FOLDER")]
    pub(super) state_dir: Option<PathBuf>,
    /// Let --from listen beyond this machine without TLS
    #[arg(long, requires = "from")]
    pub(super) insecure: bool,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
    /// Threads that redact; 0 is one for each processor
    #[arg(short = 'j', long, value_name = "N", value_parser = threads, help_heading = RUNNING)]
    pub(super) threads: Option<usize>,
}

#[cfg(feature = "daemon")]
impl RunArgs {
    /// What `--config FILE` alone says.
    pub(super) fn of_file(file: &std::path::Path) -> RunArgs {
        let engine = EngineArgs { config: Some(file.to_owned()), ..EngineArgs::default() };
        RunArgs { from: None, to: Vec::new(), admin: None, state_dir: None, insecure: false, engine, threads: None }
    }
}

/// `inkout bench`
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// A log; it is read into memory
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) engine: EngineArgs,
}

fn learn_records(text: &str) -> Result<usize, String> {
    count(text, "0 (off)", crate::engine::Policy::MAX_LEARN_RECORDS)
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    count(text, "0 (one for each processor)", crate::config::MAX_THREADS)
}

/// A whole number up to `max`; what none of it means is said by `none`.
fn count(text: &str, none: &str, max: usize) -> Result<usize, String> {
    let parsed = text.parse().ok().filter(|count| *count <= max);
    parsed.ok_or_else(|| format!("a number from {none} to {max}"))
}
