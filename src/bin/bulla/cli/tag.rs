//! `tag`, whose `+x` and `-y` are no flags to clap.

use std::ffi::OsString;

use clap::Args;

use crate::cli::shared::Place;

#[derive(Debug, Args)]
#[command(
    override_usage = "bulla tag [OPTIONS] <+TAG|-TAG>... <QUERY>...",
    after_long_help = "\
Tags stay on a document when its file is indexed again. They are found by tag:, and shown by
search --json. A tag that is also the letter of an option is put with --add and taken with --remove.

Examples:
  bulla tag +invoice -inbox 'from:billing subject:invoice'
  bulla tag -todo tag:todo before:2w"
)]
pub(crate) struct Tag {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Put this tag on each, as +TAG does; may be given again
    #[arg(long, value_name = "TAG")]
    pub(crate) add: Vec<String>,
    /// Take this tag off each, as -TAG does; may be given again
    #[arg(long, value_name = "TAG")]
    pub(crate) remove: Vec<String>,
    /// What to tag; - for stdin, or @ENV:NAME or @FD:N
    #[arg(
        required = true,
        value_name = "QUERY",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) query: Vec<String>,
}

/// Options whose value is the next argument.
const VALUED: [&str; 6] = ["-i", "--identity", "--passphrase", "--index", "--add", "--remove"];
/// Letters of options.
const LETTERS: &str = "iqvhV";

/// The command line with `+x` as `--add=x` and `-y` as `--remove=y`, as far as the query.
pub(crate) fn spelled_out(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    let mut args = args;
    out.extend(args.next());
    // Flags before the verb have no values.
    let verb = args.by_ref().find(|arg| {
        let flag = arg.to_string_lossy().starts_with('-');
        out.push(arg.clone());
        !flag
    });
    if verb.is_none_or(|verb| verb != "tag") {
        out.extend(args);
        return out;
    }
    while let Some(arg) = args.next() {
        let text = arg.to_str().unwrap_or_default();
        if VALUED.contains(&text) {
            out.push(arg);
            out.extend(args.next());
        } else if let Some(tag) = text.strip_prefix('+') {
            out.push(format!("--add={tag}").into());
        } else if let Some(tag) = text.strip_prefix('-').filter(|tag| is_tag(tag)) {
            out.push(format!("--remove={tag}").into());
        } else {
            let flag = text.starts_with('-') && text != "-" && text != "--";
            out.push(arg);
            if !flag {
                break;
            }
        }
    }
    out.extend(args);
    out
}

fn is_tag(text: &str) -> bool {
    let letter = text.len() == 1 && LETTERS.contains(text);
    !text.is_empty() && !text.starts_with('-') && !letter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_spelled_out_as_far_as_the_query() {
        for (typed, want) in [
            ("tag +x -y q", "tag --add=x --remove=y q"),
            ("tag -inbox q", "tag --remove=inbox q"),
            ("tag -i key +x a -b", "tag -i key --add=x a -b"),
            ("--json tag -q --index d +x -- -a", "--json tag -q --index d --add=x -- -a"),
            ("tag --json -x -", "tag --json --remove=x -"),
            ("search -x +y", "search -x +y"),
            ("--version", "--version"),
        ] {
            let args = format!("bulla {typed}");
            let args = args.split(' ').map(OsString::from);
            let out = spelled_out(args).join(" ".as_ref());
            assert_eq!(out.to_str().unwrap(), format!("bulla {want}"));
        }
    }
}
