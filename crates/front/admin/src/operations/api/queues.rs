//! `GET /api/queues` and `GET /api/queues/VHOST`: queues and topics, sorted by virtual host and
//! name unless the query says otherwise. With `?page=1&page_size=100`, returns a page, in an object
//! with the total count; otherwise all, or an error if they are too many for one response.

use serde_json::Value;
use stele_base_types::{LogId, VHOST_DEFAULT};
use stele_core_broker::Broker;
use stele_core_engine::LogDefinition;

use tokio::time::timeout;

use super::{queue, view::View};
use crate::{
    consumers::OpenConsumers,
    errors::Error,
    limits::{LIST_QUEUES_MAX, PROBE_TIMEOUT},
    router::Answer,
    settings::Settings,
    state::State,
};

/// The response.
pub(super) async fn answer(
    state: &State,
    settings: &Settings,
    vhost: Option<&str>,
    view: &View,
) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    let vhost = vhost.unwrap_or(VHOST_DEFAULT);
    // Only a page in the order of names can be cut without the counts of all queues.
    let page = view.page.filter(|_| view.is_by_name());
    let (skipped, taken) = page.map_or((0, LIST_QUEUES_MAX), |page| (page.skipped(), page.size()));
    let (definitions, count, total) = {
        let catalogue = broker.catalogue();
        if !catalogue.has_vhost(vhost) {
            return Err(Error::NoSuchPage);
        }
        let named = || catalogue.logs(vhost, None).filter(|it| view.has(&it.name));
        let (count, total) = (named().count(), catalogue.logs(vhost, None).count());
        // From the other end: as many as come before it in the reversed order come after it here.
        let first = match view.is_reversed {
            true => count.saturating_sub(skipped.saturating_add(taken)),
            false => skipped,
        };
        let last = match view.is_reversed {
            true => count.saturating_sub(skipped),
            false => skipped.saturating_add(taken),
        };
        let wanted = named().take(last).skip(first);
        (wanted.cloned().collect::<Vec<_>>(), count, total)
    };
    if page.is_none() && count > LIST_QUEUES_MAX {
        return Err(Error::BadQuery(format!(
            "there are {count} queues: request a page by name, for example with \
             ?page=1&page_size=100"
        )));
    }
    let mut queues = of_each(broker, settings, &definitions).await?;
    match page {
        Some(page) => {
            view.sort(&mut queues);
            view.paged(page, queues, count, total)
        }
        None => view.list(queues, total),
    }
}

async fn of_each(
    broker: &Broker,
    settings: &Settings,
    definitions: &[LogDefinition],
) -> Result<Vec<Value>, Error> {
    let logs: Vec<LogId> = definitions.iter().map(|definition| definition.id).collect();
    let statuses = timeout(PROBE_TIMEOUT, broker.statuses(&logs)).await;
    let statuses = statuses.map_err(|_| Error::Stuck)??;
    let queues = definitions.iter().zip(statuses);
    let consumers = OpenConsumers::list(settings);
    let queues = queues.map(|(definition, status)| {
        let status = status.unwrap_or_default();
        queue::of(definition, &status, &consumers)
    });
    Ok(queues.collect())
}
