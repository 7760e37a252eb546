//! `saga`: instances of sagas, processes and correlations.

use std::{io::Write, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use stele_toolkit_saga::{
    Filter, History, Instances, Listed, Operator, RequestOutcome, SagaId, Status,
};

use crate::{
    Failure,
    output::{self, Format, time},
    place::Database,
};

/// How often a request is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What to do with instances.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Lists instances, the longest unchanged first.
    List {
        /// Only those that don't get further.
        #[arg(long)]
        stuck: bool,
        /// Only those of this saga.
        #[arg(long)]
        name: Option<String>,
        /// Only those in this state.
        #[arg(long)]
        status: Option<State>,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        format: Format,
    },
    /// Shows an instance: its data, its steps and its history.
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        format: Format,
    },
    /// Sends what the instance waits for again, at once.
    Retry(Asking),
    /// Undoes what was done. Refused once the pivot is done.
    Compensate(Asking),
    /// Takes the steps that the instance waits for as done, or as undone, and goes on.
    Skip(Asking),
}

/// An instance.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// The instance's id: the correlation id of its messages.
    id: String,
    /// The saga's name. Needed only where several have an instance of this id.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    database: Database,
}

/// What is asked of the service that has the instance's plan.
#[derive(Clone, Debug, Args)]
pub struct Asking {
    #[command(flatten)]
    which: Which,
    /// How many seconds to wait for the service. It looks for requests every second.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

/// The state of an instance.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum State {
    /// Its steps are being done.
    Running,
    /// Its steps are being undone.
    Undoing,
    /// All is done.
    Done,
    /// What was done is undone.
    Undone,
}

impl From<State> for Status {
    fn from(state: State) -> Self {
        match state {
            State::Running => Self::Running,
            State::Undoing => Self::Undoing,
            State::Done => Self::Done,
            State::Undone => Self::Undone,
        }
    }
}

pub(crate) async fn run(
    verb: Verb,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    match verb {
        Verb::List {
            stuck,
            name,
            status,
            limit,
            database,
            format,
        } => {
            let filter = Filter {
                name,
                id: None,
                status: status.map(Status::from),
                is_stuck: stuck,
            };
            let instances = Instances::of(&database.open().await?);
            list(&instances.list(&filter, limit).await?, format, out)
        }
        Verb::Show { which, format } => {
            let (instances, listed) = which.find().await?;
            show(
                &instances.show(&listed.name, &listed.id).await?,
                format,
                out,
            )
        }
        Verb::Retry(asking) => ask(asking, Operator::Retry, err).await,
        Verb::Compensate(asking) => ask(asking, Operator::Compensate, err).await,
        Verb::Skip(asking) => ask(asking, Operator::Skip, err).await,
    }
}

impl Which {
    async fn find(&self) -> Result<(Instances, Listed), Failure> {
        let filter = Filter {
            name: self.name.clone(),
            id: Some(SagaId(self.id.clone())),
            ..Filter::default()
        };
        let instances = Instances::of(&self.database.open().await?);
        let mut found = instances.list(&filter, 100).await?;
        match (found.pop(), found.is_empty()) {
            (Some(listed), true) => Ok((instances, listed)),
            (Some(_), false) => {
                let text = format!("several sagas have an instance {}: add --name", self.id);
                Err(Failure::Usage(text))
            }
            (None, _) => Err(Failure::Missing(format!(
                "there is no instance {}",
                self.id
            ))),
        }
    }
}

fn list(all: &[Listed], format: Format, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let columns = ["saga", "id", "version", "status", "stuck", "changed", "due"];
    output::print(out, format, &columns, all, |listed| {
        vec![
            listed.name.clone(),
            listed.id.to_string(),
            listed.version.to_string(),
            listed.status.word().to_owned(),
            stuck(listed).to_owned(),
            time(Some(listed.changed_at)),
            time(listed.due_at),
        ]
    })
}

/// Why an instance doesn't get further.
fn stuck(listed: &Listed) -> &'static str {
    match (listed.is_stuck, listed.is_overdue) {
        (true, _) => "stuck",
        (false, true) => "overdue",
        (false, false) => "-",
    }
}

fn show(history: &History, format: Format, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let listed = &history.instance;
    let body: Value = serde_json::from_str(&history.body)?;
    if format.json {
        let entry = |(at, entry): &(_, _)| json!({ "at": at, "entry": entry });
        let entries: Vec<Value> = history.entries.iter().map(entry).collect();
        let all = json!({ "instance": listed, "state": body, "history": entries });
        writeln!(out, "{all}")?;
        return Ok(());
    }
    let fields = [
        ("saga", listed.name.clone()),
        ("id", listed.id.to_string()),
        ("version", listed.version.to_string()),
        ("status", listed.status.word().to_owned()),
        ("stuck", stuck(listed).to_owned()),
        ("started", time(Some(listed.started_at))),
        ("changed", time(Some(listed.changed_at))),
        ("due", time(listed.due_at)),
    ];
    output::fields(out, &fields)?;
    writeln!(
        out,
        "\nstate\n{}\n\nhistory",
        serde_json::to_string_pretty(&body)?
    )?;
    for (at, entry) in &history.entries {
        writeln!(out, "{}  {}", time(Some(*at)), words(&json!(entry)))?;
    }
    Ok(())
}

/// An entry of a history: what, and with what.
fn words(entry: &Value) -> String {
    let Value::Object(fields) = entry else {
        return entry.to_string();
    };
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let what = fields.get("what").map(plain).unwrap_or_default();
    let more = fields.iter().filter(|(name, _)| *name != "what");
    let more = more.map(|(name, value)| format!("  {name}={}", plain(value)));
    what + &more.collect::<String>()
}

async fn ask(
    asking: Asking,
    action: Operator,
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let (instances, listed) = asking.which.find().await?;
    let request = instances.ask(&listed.name, &listed.id, action).await?;
    let (id, word) = (&listed.id, action.word());
    let answered = async {
        loop {
            match request.outcome().await? {
                RequestOutcome::Open => tokio::time::sleep(LOOK).await,
                outcome => return Ok::<_, Failure>(outcome),
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(asking.wait), answered).await {
        Ok(Ok(RequestOutcome::Refused { reason })) => Err(Failure::Refused(reason)),
        Ok(Ok(_)) => {
            writeln!(err, "{} {id}: {word} is done", listed.name)?;
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Failure::Open(format!(
            "no service that has version {} of {} has answered within {} s; it will {word} {id} \
             when it runs",
            listed.version, listed.name, asking.wait
        ))),
    }
}
