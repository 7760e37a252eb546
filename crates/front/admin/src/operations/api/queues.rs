//! `GET /api/queues` and `GET /api/queues/VHOST`: queues and topics, sorted by virtual host and
//! name. With `?page=1&page_size=100`, returns a page, in an object with the total count; otherwise
//! all, or an error if they are too many for one response.

use hyper::StatusCode;
use serde_json::{Value, json};
use stele_base_types::VHOST_DEFAULT;
use stele_core_broker::Broker;
use stele_core_engine::LogDefinition;

use super::queue;
use crate::{
    errors::Error,
    limits::{LIST_QUEUES_MAX, PAGE_LOGS_DEFAULT, PAGE_LOGS_MAX},
    router::{self, Answer},
    state::State,
};

/// The response.
pub(super) async fn answer(
    state: &State,
    vhost: Option<&str>,
    query: &str,
) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    let vhost = vhost.unwrap_or(VHOST_DEFAULT);
    let page = Page::read(query)?;
    let (definitions, count) = {
        let catalogue = broker.catalogue();
        if !catalogue.has_vhost(vhost) {
            return Err(Error::NoSuchPage);
        }
        let (skipped, taken) = page.as_ref().map_or((0, LIST_QUEUES_MAX), Page::range);
        let wanted = catalogue.logs(vhost, None).skip(skipped).take(taken);
        let definitions: Vec<_> = wanted.cloned().collect();
        (definitions, catalogue.logs(vhost, None).count())
    };
    let body = match page {
        Some(page) => page.answer(&of_each(broker, &definitions).await?, count)?,
        None if count > LIST_QUEUES_MAX => {
            return Err(Error::BadQuery(format!(
                "there are {count} queues: request a page, for example with ?page=1&page_size=100"
            )));
        }
        None => of_each(broker, &definitions).await?.into(),
    };
    Ok(router::json(StatusCode::OK, &body))
}

async fn of_each(broker: &Broker, definitions: &[LogDefinition]) -> Result<Vec<Value>, Error> {
    let mut queues = Vec::with_capacity(definitions.len());
    for definition in definitions {
        queues.push(queue::of(broker, definition).await?);
    }
    Ok(queues)
}

#[derive(Debug, PartialEq, Eq)]
struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// Other parameters select columns and order, and are ignored.
    fn read(query: &str) -> Result<Option<Self>, Error> {
        let (mut number, mut size) = (None, PAGE_LOGS_DEFAULT);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let read = || value.parse().ok().filter(|value| *value > 0);
            let wrong =
                || Error::BadQuery(format!("{name} is not a number, or too large: {value}"));
            match &*name {
                "page" => number = Some(read().ok_or_else(wrong)?),
                "page_size" => {
                    let fits = |size: &usize| *size <= PAGE_LOGS_MAX;
                    size = read().filter(fits).ok_or_else(wrong)?;
                }
                _ => {}
            }
        }
        Ok(number.map(|number| Self { number, size }))
    }

    /// The number of queues before the page, and the maximum on it.
    fn range(&self) -> (usize, usize) {
        ((self.number - 1).saturating_mul(self.size), self.size)
    }

    fn answer(&self, items: &[Value], count: usize) -> Result<Value, Error> {
        let (number, size) = (self.number, self.size);
        if items.is_empty() && number > 1 {
            return Err(Error::BadQuery(format!(
                "Page out of range, page: {number} page size: {size}, len: {count}"
            )));
        }
        Ok(json!({
            "filtered_count": count,
            "item_count": items.len(),
            "items": items,
            "page": number,
            "page_count": count.div_ceil(size).max(1),
            "page_size": size,
            "total_count": count,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_a_size_that_there_may_be() {
        assert_eq!(Page::read("sort=name").ok(), Some(None));
        let page = Page::read("page=3&page_size=50").ok().flatten();
        assert_eq!(page.map(|page| page.range()), Some((100, 50)));
        for wrong in ["page=0", "page=x", "page=1&page_size=501", "page_size=-1"] {
            assert!(Page::read(wrong).is_err(), "{wrong}");
        }
    }
}
