//! `GET /v1/logs?vhost=/&prefix=&after=NAME&limit=100`: queues and topics by name, paged. `next` is
//! the `after` of the next page, or null on the last.

use hyper::StatusCode;
use serde_json::json;
use stele_base_types::VHOST_DEFAULT;

use crate::{
    errors::Error,
    limits::{PAGE_LOGS_DEFAULT, PAGE_LOGS_MAX},
    operations::log,
    router::{self, Answer},
    settings::Settings,
    state::State,
};

#[derive(Debug, PartialEq, Eq)]
struct Page {
    vhost: String,
    prefix: String,
    after: Option<String>,
    limit: usize,
}

/// The response.
pub(crate) async fn answer(
    state: &State,
    settings: &Settings,
    query: &str,
) -> Result<Answer, Error> {
    let page = Page::read(query)?;
    let serving = state.serving()?;
    let (definitions, next) = {
        let catalogue = serving.broker.catalogue();
        let mut definitions: Vec<_> = catalogue
            .logs(&page.vhost, page.after.as_deref())
            .filter(|definition| definition.name.starts_with(&page.prefix))
            .take(page.limit + 1)
            .cloned()
            .collect();
        let is_more = definitions.len() > page.limit;
        definitions.truncate(page.limit);
        let next = definitions
            .last()
            .filter(|_| is_more)
            .map(|last| last.name.clone());
        (definitions, next)
    };
    let mut logs = Vec::with_capacity(definitions.len());
    for definition in &definitions {
        logs.push(log::of(&serving.broker, settings, definition).await?);
    }
    let body = json!({ "logs": logs, "next": next.as_deref() });
    Ok(router::json(StatusCode::OK, &body))
}

impl Page {
    fn read(query: &str) -> Result<Self, Error> {
        let mut page = Self {
            vhost: VHOST_DEFAULT.to_owned(),
            prefix: String::new(),
            after: None,
            limit: PAGE_LOGS_DEFAULT,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "vhost" => page.vhost = value.into_owned(),
                "prefix" => page.prefix = value.into_owned(),
                "after" => page.after = Some(value.into_owned()),
                "limit" => page.limit = limit(&value)?,
                _ => return Err(Error::BadQuery(format!("unknown parameter '{name}'"))),
            }
        }
        Ok(page)
    }
}

fn limit(text: &str) -> Result<usize, Error> {
    text.parse()
        .ok()
        .filter(|limit| (1..=PAGE_LOGS_MAX).contains(limit))
        .ok_or_else(|| Error::BadQuery(format!("limit must be a number from 1 to {PAGE_LOGS_MAX}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let page = Page::read("vhost=%2Fa&after=x&limit=7&prefix=o").expect("a query");
        assert_eq!(page.vhost, "/a");
        assert_eq!((page.after.as_deref(), page.limit), (Some("x"), 7));
        for wrong in ["limit=0", "limit=501", "limit=x", "offset=1"] {
            assert!(
                matches!(Page::read(wrong), Err(Error::BadQuery(_))),
                "{wrong}"
            );
        }
    }
}
