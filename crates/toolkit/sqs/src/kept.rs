//! Messages that wait in this process, to be handed out again. Their leases are extended meanwhile.

use std::{collections::BTreeMap, pin::pin, sync::Arc};

use stele_toolkit_bus::Handout;
use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant},
};

use crate::{
    poller::{Ready, Wish},
    queues::Queues,
    subscription::give_back,
};

/// A message that waits.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) until: Instant,
    pub(crate) ready: Ready,
}

/// Hands messages out again once they have waited. When the subscription is drained, it gives back
/// those that still wait, and ends.
pub(crate) async fn run(
    queues: Arc<Queues>,
    handout: Handout<Ready>,
    mut asked: mpsc::Receiver<Kept>,
    mut wishes: watch::Receiver<Wish>,
) {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    let mut draining = pin!(async { wishes.wait_for(|wish| *wish == Wish::Drain).await.is_ok() });
    loop {
        let first = waiting.keys().next().copied();
        tokio::select! {
            // It isn't drained if the subscription was dropped: the messages come again later.
            is_drained = &mut draining => match is_drained {
                true => break,
                false => return,
            },
            Some(Kept { until, ready }) = asked.recv() => {
                next += 1;
                waiting.insert((until, next), ready);
            }
            () = at(first), if first.is_some() => {
                if let Some(ready) = first.and_then(|first| waiting.remove(&first)) {
                    // A closed handout is one of a dropped subscription.
                    handout.put(ready).ok();
                }
            }
        }
    }
    asked.close();
    let mut rest: Vec<Ready> = waiting.into_values().collect();
    while let Some(kept) = asked.recv().await {
        rest.push(kept.ready);
    }
    give_back(&queues, rest).await;
}

async fn at(first: Option<(Instant, u64)>) {
    if let Some((until, _)) = first {
        time::sleep_until(until).await;
    }
}
