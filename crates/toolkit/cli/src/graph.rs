//! `graph`: the plans that services have.

use std::io::Write;

use clap::Args;
use stele_toolkit_saga::{Instances, KnownPlan};

use crate::{Failure, output::Format, place::Database};

/// Which plans to print.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The saga's name; all of them without one.
    pub name: Option<String>,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    format: Format,
}

pub(crate) async fn run(arguments: Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let db = arguments.database.open().await?;
    let mut plans = Instances::of(&db).plans().await?;
    if let Some(name) = &arguments.name {
        plans.retain(|plan| plan.name == *name);
        if plans.is_empty() {
            let text = format!("no service on this database has a plan of {name}");
            return Err(Failure::Missing(text));
        }
    }
    for plan in &plans {
        if arguments.format.json {
            writeln!(out, "{}", serde_json::to_string(plan)?)?;
        } else {
            let KnownPlan { name, version, .. } = plan;
            writeln!(out, "%% {name}, version {version}\n{}", plan.diagram)?;
        }
    }
    Ok(())
}
