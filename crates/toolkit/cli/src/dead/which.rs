//! Which letters are meant.

use clap::Args;
use stele_toolkit_bus::Filter;

use crate::Failure;

/// Which letters. Without any of it, all.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// Letters of these ids.
    pub ids: Vec<String>,
    /// Letters whose `type`, `key` or `handler` is this: `--where type=OrderCreated`. May be given
    /// several times; all have to fit.
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub wheres: Vec<String>,
    /// Letters with this reason, such as `timeout` or `unknown_type`.
    #[arg(long)]
    pub reason: Option<String>,
}

impl Which {
    /// Whether nothing says which.
    pub(crate) fn is_any(&self) -> bool {
        self.ids.is_empty() && self.wheres.is_empty() && self.reason.is_none()
    }

    /// Whether letters are named by their ids.
    pub(crate) fn has_ids(&self) -> bool {
        !self.ids.is_empty()
    }

    /// One filter for each id, or one for all letters.
    pub(crate) fn filters(&self) -> Result<Vec<Filter>, Failure> {
        let mut filter = Filter {
            reason: self.reason.clone(),
            ..Filter::default()
        };
        for pair in &self.wheres {
            let (field, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match field {
                "type" => &mut filter.message_type,
                "key" => &mut filter.key,
                "handler" => &mut filter.handler,
                "reason" => &mut filter.reason,
                _ => {
                    let text = format!(
                        "--where {pair}: the fields are type, key, handler and reason, as in \
                         `--where type=OrderCreated`"
                    );
                    return Err(Failure::Usage(text));
                }
            };
            *place = Some(value.to_owned());
        }
        if self.ids.is_empty() {
            return Ok(vec![filter]);
        }
        let of_id = |id: &String| Filter {
            id: Some(id.clone()),
            ..filter.clone()
        };
        Ok(self.ids.iter().map(of_id).collect())
    }
}
