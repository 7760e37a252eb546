//! `dead`: dead letters.

mod letters;
mod which;

use std::io::{Read as _, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stele_toolkit_bus::{DeadLetter, Edit};

use crate::{
    Failure,
    output::{self, Format, time},
};
use letters::{Source, Tray};
use which::Which;

/// What to do with dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Lists letters, the oldest first.
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        format: Format,
    },
    /// Shows a letter: why it is dead, its headers and its body.
    Show {
        /// The letter's id.
        id: String,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        format: Format,
    },
    /// Has letters handled again, by their own handler, as if for the first time.
    Retry(Changing),
    /// Has a letter handled again with another body. The message keeps its id.
    Edit {
        /// The letter's id.
        id: String,
        /// The file with the new body; `-` reads the standard input.
        #[arg(long, value_name = "FILE")]
        body: String,
        #[command(flatten)]
        source: Source,
    },
    /// Forgets letters, for good.
    Drop(Changing),
}

/// Which letters to change.
#[derive(Clone, Debug, Args)]
pub struct Changing {
    #[command(flatten)]
    which: Which,
    /// All letters. Needed if nothing else says which.
    #[arg(long, conflicts_with_all = ["ids", "wheres", "reason"])]
    all: bool,
    /// Lists the letters instead.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    source: Source,
}

pub(crate) async fn run(
    verb: Verb,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    match verb {
        Verb::List {
            which,
            source,
            format,
        } => {
            let mut found = Vec::new();
            for tray in source.open().await? {
                for filter in which.filters()? {
                    found.extend(tray.list(&filter).await?);
                }
            }
            list(&found, format, out)
        }
        Verb::Show { id, source, format } => {
            let (tray, letter) = source.find(&id).await?;
            show(&tray, &letter, format, out)
        }
        Verb::Retry(changing) => {
            let count = change(&changing, out, err, Change::Retry).await?;
            Ok(writeln!(err, "retried: {count}")?)
        }
        Verb::Drop(changing) => {
            let count = change(&changing, out, err, Change::Drop).await?;
            Ok(writeln!(err, "dropped: {count}")?)
        }
        Verb::Edit { id, body, source } => {
            let bytes = read(&body)?;
            let (tray, letter) = source.find(&id).await?;
            let edit = Edit { body: bytes.into() };
            tray.letters.edit(&letter.id, edit).await?;
            Ok(writeln!(err, "edited, and retried: {id}")?)
        }
    }
}

#[derive(Clone, Copy)]
enum Change {
    Retry,
    Drop,
}

async fn change(
    changing: &Changing,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
    what: Change,
) -> Result<usize, Failure> {
    if changing.which.is_any() && !changing.all {
        let text = "say which letters: their ids, --where, --reason, or --all";
        return Err(Failure::Usage(text.to_owned()));
    }
    let (mut count, mut listed) = (0, Vec::new());
    for tray in changing.source.open().await? {
        for filter in changing.which.filters()? {
            if changing.dry_run {
                listed.extend(tray.list(&filter).await?);
                continue;
            }
            count += match what {
                Change::Retry => tray.letters.retry(&filter).await?,
                Change::Drop => tray.letters.forget(&filter).await?,
            };
        }
    }
    if changing.dry_run {
        writeln!(err, "nothing is changed; these {} would be:", listed.len())?;
        list(&listed, Format { json: false }, out)?;
    } else if count == 0 && changing.which.has_ids() {
        let text = "there is no such dead letter";
        return Err(Failure::Missing(text.to_owned()));
    }
    Ok(count)
}

fn list(
    found: &[(String, DeadLetter)],
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    if format.json {
        for (service, letter) in found {
            writeln!(out, "{}", as_json(service, letter))?;
        }
        return Ok(());
    }
    let columns = [
        "id", "handler", "type", "key", "reason", "attempts", "failed", "error",
    ];
    let row = |(_, letter): &(String, DeadLetter)| {
        vec![
            letter.id.clone(),
            letter.handler.clone(),
            letter.message_type().unwrap_or_else(|| "-".to_owned()),
            letter.key.clone(),
            letter.story.reason.clone(),
            letter.story.attempts.to_string(),
            time(Some(letter.story.last_failed_at)),
            letter.story.error.clone(),
        ]
    };
    output::table(out, &columns, &found.iter().map(row).collect::<Vec<_>>())
}

fn show(
    tray: &Tray,
    letter: &DeadLetter,
    format: Format,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    if format.json {
        return Ok(writeln!(out, "{}", as_json(&tray.service, letter))?);
    }
    let story = &letter.story;
    let fields = [
        ("id", letter.id.clone()),
        ("service", tray.service.clone()),
        ("handler", letter.handler.clone()),
        ("message id", letter.message_id.clone()),
        ("type", letter.message_type().unwrap_or_default()),
        ("key", letter.key.clone()),
        ("sent to", letter.to.name().to_owned()),
        ("origin", letter.origin.clone()),
        ("reason", story.reason.clone()),
        ("error", story.error.clone()),
        ("error type", story.error_type.clone()),
        ("attempts", story.attempts.to_string()),
        ("first failed", time(Some(story.first_failed_at))),
        ("last failed", time(Some(story.last_failed_at))),
    ];
    output::fields(out, &fields)?;
    writeln!(out, "\nheaders")?;
    for (name, value) in letter.headers.iter() {
        writeln!(
            out,
            "{name}: {}",
            String::from_utf8_lossy(value).escape_debug()
        )?;
    }
    writeln!(out, "\nbody, {} bytes", letter.body.len())?;
    match serde_json::from_slice::<Value>(&letter.body) {
        Ok(body) => writeln!(out, "{}", serde_json::to_string_pretty(&body)?)?,
        Err(_) => writeln!(
            out,
            "{}",
            String::from_utf8_lossy(&letter.body).escape_debug()
        )?,
    }
    Ok(())
}

/// The body is text if it is UTF-8, and base64 otherwise.
fn as_json(service: &str, letter: &DeadLetter) -> Value {
    let headers = letter.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value).into_owned();
        (name.to_owned(), Value::from(value))
    });
    let (name, body) = match std::str::from_utf8(&letter.body) {
        Ok(text) => ("body", text.to_owned()),
        Err(_) => ("bodyBase64", STANDARD.encode(&letter.body)),
    };
    let mut all = json!({
        "id": letter.id,
        "service": service,
        "handler": letter.handler,
        "messageId": letter.message_id,
        "messageType": letter.message_type(),
        "key": letter.key,
        "to": letter.to.name(),
        "origin": letter.origin,
        "story": letter.story,
        "headers": headers.collect::<serde_json::Map<_, _>>(),
    });
    all[name] = body.into();
    all
}

#[expect(
    clippy::disallowed_methods,
    reason = "the disk of the broker is another thing than a file that an operator names"
)]
fn read(path: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().read_to_end(&mut bytes).map(drop),
        path => std::fs::read(path).map(|all| bytes = all),
    };
    let path = path.to_owned();
    read.map_err(|error| Failure::Input { path, error })?;
    Ok(bytes)
}
