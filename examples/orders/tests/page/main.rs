//! The page in Debian's Chromium, with a shop behind it: its buttons are clicked, and what it shows
//! is read. A machine without Chromium fails the test.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

mod browser;
#[path = "../combinations/shop.rs"]
#[expect(dead_code, reason = "the page asks the services itself")]
mod shop;

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use browser::{Page, open};
use shop::Shop;

/// Long enough for a machine that is busy with other tests.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Each kind of order, by its button, how it ends, and the marks that its lanes have then.
const KINDS: [(&str, &str, &[&str]); 8] = [
    ("good", "confirmed", &["sent", "handled"]),
    ("no-stock", "cancelled", &["undone"]),
    ("declined", "cancelled", &["undone"]),
    ("flaky", "confirmed", &["callFailed", "called"]),
    ("silent", "confirmed", &["callFailed", "called"]),
    ("told-twice", "confirmed", &["handled"]),
    ("slow", "confirmed", &["handled"]),
    ("twice", "confirmed", &["duplicate"]),
];

#[tokio::test]
async fn the_page_shows_what_becomes_of_each_kind_of_order() {
    let shop = Shop::open("amqp", "choreographed").await;
    let page = open(&format!("http://{}/", shop.addresses.order)).await;
    page.wait("document.querySelector('#connection').dataset.state === 'live'")
        .await;
    page.wait("document.querySelectorAll('#lane-heads th').length === 7")
        .await;
    page.wait("document.querySelectorAll('#lane-heads .away').length === 0")
        .await;
    for (kind, ends, marks) in KINDS {
        places(&page, kind, ends, marks).await;
    }
    a_dead_letter_is_retried(&page).await;
    the_keyboard_suffices(&page).await;
    assert_eq!(page.complaints(), Vec::<String>::new());
    a_service_that_is_away_is_shown(&page, &shop).await;
    // All orders are there again, and so is what the services did.
    page.load().await;
    page.wait("document.querySelectorAll('#order-list li').length === 10")
        .await;
    page.wait("document.querySelectorAll('#order-list .mark.undone').length === 2")
        .await;
    // Meanwhile shipping couldn't be asked for its dead letters or its paper.
    let is_expected = |complaint: &String| complaint.contains("status of 503");
    let complaints = page.complaints();
    assert!(complaints.iter().all(is_expected), "{complaints:?}");
    page.close().await;
    shop.close().await;
}

/// A click places an order, whose lanes fill.
async fn places(page: &Page, kind: &str, ends: &str, marks: &[&str]) {
    page.click(&format!("[data-kind='{kind}']")).await;
    is_shown(page, kind).await;
    page.wait(&format!(
        "document.querySelector('#facts').dataset.status === '{ends}'"
    ))
    .await;
    for look in marks {
        page.wait(&format!(
            "document.querySelector('#messages .mark.{look}') !== null"
        ))
        .await;
    }
    for service in ["inventory", "payment", "notification", "analytics"] {
        let mark = format!("#messages td[data-service='shop.{service}'] .mark");
        page.wait(&format!("document.querySelector(\"{mark}\") !== null"))
            .await;
    }
    // Nobody but the timeline takes these, so they show that it is followed.
    page.wait("document.querySelector('#messages [data-type=\"EmailSent\"]') !== null")
        .await;
    if kind == "declined" {
        let undone =
            "#messages [data-type='PaymentFailed'] [data-service='shop.inventory'] .undone";
        page.wait(&format!("document.querySelector(\"{undone}\") !== null"))
            .await;
    }
}

/// The lanes are those of an order of the kind, which is the newest.
async fn is_shown(page: &Page, kind: &str) {
    let title = format!("document.querySelector('[data-kind=\"{kind}\"] strong').textContent");
    let heading = "document.querySelector('#order-title').textContent";
    page.wait(&format!("{heading}.startsWith({title})")).await;
    page.wait("document.querySelector('#order-list button').hasAttribute('aria-current')")
        .await;
}

/// Shipping fails for want of paper, is retried, and gives up. With paper, a retry completes it.
async fn a_dead_letter_is_retried(page: &Page) {
    page.click("[data-kind='no-paper']").await;
    is_shown(page, "no-paper").await;
    let cell = "#messages [data-type='OrderConfirmed'] [data-service='shop.shipping']";
    let count = |look: &str| format!("document.querySelectorAll(\"{cell} .mark.{look}\").length");
    page.wait(&format!("{} === 1", count("dead"))).await;
    page.wait(&format!("{} === 4", count("failed"))).await;
    let numbers = format!(
        "[...document.querySelectorAll(\"{cell} .failed\")].map(it => it.firstChild.textContent)"
    );
    assert_eq!(page.value(&numbers).await, json!(["1", "2", "3", "4"]));
    page.wait("document.querySelectorAll('#letter-list tr').length === 1")
        .await;
    page.wait("document.querySelector('#order-list .mark.dead') !== null")
        .await;
    page.wait("document.querySelector('#printer').classList.contains('empty')")
        .await;
    page.click("#fill").await;
    page.wait("!document.querySelector('#printer').classList.contains('empty')")
        .await;
    page.click(&format!("{cell} button.retry")).await;
    page.wait(&format!("{} === 1", count("handled"))).await;
    page.wait(&format!("{} === 1", count("revived"))).await;
    page.wait("document.querySelector('#no-letters').hidden === false")
        .await;
    page.wait("document.querySelector('#messages [data-type=\"ShippingScheduled\"]') !== null")
        .await;
    page.wait("document.querySelector('#order-list .mark.dead') === null")
        .await;
}

/// An order is placed, and a message's details are opened, by keys alone.
async fn the_keyboard_suffices(page: &Page) {
    page.run("document.querySelector('#pause').focus()").await;
    page.press("Tab", 9).await;
    let focused = "document.activeElement.dataset.kind";
    assert_eq!(page.value(focused).await, json!("good"));
    let first = page
        .value("document.querySelector('#order-list li').dataset.order")
        .await;
    page.press("Enter", 13).await;
    page.wait(&format!(
        "document.querySelector('#order-list li').dataset.order !== {first}"
    ))
    .await;
    page.wait("document.querySelector('#facts').dataset.status === 'confirmed'")
        .await;
    page.run("document.querySelector('#messages button').focus()")
        .await;
    page.press("Enter", 13).await;
    page.wait("document.querySelector('#messages .details').hidden === false")
        .await;
    let is_named = "[...document.querySelectorAll('button, select, [role=region]')].every(it => \
        it.hidden || it.textContent.trim() || it.getAttribute('aria-label') \
        || it.hasAttribute('aria-labelledby'))";
    assert_eq!(page.value(is_named).await, json!(true));
}

/// A process that is killed is shown as away, and as there again once it is started again.
async fn a_service_that_is_away_is_shown(page: &Page, shop: &Shop) {
    // It may be there again before anybody looks.
    page.run(
        "const heads = document.querySelector('#lane-heads');
        window.away = [];
        new MutationObserver(() => {
            window.away.push(...[...heads.querySelectorAll('.away')].map(it => it.innerText));
        }).observe(heads, { subtree: true, attributes: true })",
    )
    .await;
    kill(shop, "shipping").await;
    page.wait("window.away.some(it => it.startsWith('shipping'))")
        .await;
    page.wait("document.querySelectorAll('#lane-heads .away').length === 0")
        .await;
}

async fn kill(shop: &Shop, process: &str) {
    let directory = shop.directory.as_ref().unwrap().path();
    let pid = tokio::fs::read_to_string(directory.join("pids").join(process));
    let pid: i32 = pid.await.unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// A saga's commands and compensations belong to their order, whatever their key is. What is kept
/// is bounded, and a thousand orders are drawn at once.
#[tokio::test]
async fn orchestrated_orders_are_shown_and_a_thousand_are_drawn_quickly() {
    let shop = Shop::open("amqp", "orchestrated").await;
    let page = open(&format!("http://{}/", shop.addresses.order)).await;
    page.wait("document.querySelectorAll('#lane-heads th').length === 8")
        .await;
    page.click("[data-kind='declined']").await;
    page.wait("document.querySelector('#facts').dataset.status === 'cancelled'")
        .await;
    for (command, service) in [("ReleaseInventory", "inventory"), ("CancelOrder", "order")] {
        let undone = format!("[data-type='{command}'] [data-service='shop.{service}'] .undone");
        page.wait(&format!("document.querySelector(\"{undone}\") !== null"))
            .await;
    }
    let orders = "document.querySelectorAll('#order-list li').length";
    assert_eq!(page.value(orders).await, Value::from(1));
    let drawn = page.value(MANY).await;
    let field = |name: &str| drawn[name].as_u64().unwrap_or(u64::MAX);
    assert_eq!(drawn["orders"], Value::from(1000), "{drawn}");
    assert_eq!(drawn["rows"], Value::from(1000), "{drawn}");
    assert_eq!(drawn["newest"], Value::from("order-01499"), "{drawn}");
    assert_eq!(drawn["oldest"], Value::from("order-00500"), "{drawn}");
    // Some 200 ms on an idle machine.
    assert!(field("millis") < 5_000, "{drawn}");
    assert_eq!(page.complaints(), Vec::<String>::new());
    page.close().await;
    shop.close().await;
}

/// 1,500 orders of 17 entries each go through the page's own model and list.
const MANY: &str = "(async () => {
    const { Model } = await import('/page/model.js');
    const { OrderList } = await import('/page/lists.js');
    const list = document.createElement('ol');
    document.body.append(list);
    const [model, orders] = [new Model(), new OrderList(list, () => {})];
    const began = performance.now();
    let number = 0;
    for (let order = 0; order < 1500; order += 1) {
        for (let message = 0; message < 17; message += 1) {
            number += 1;
            model.apply({
                id: `boot-${number}`, at: '2026-01-15T10:30:00.25Z', service: 'shop.inventory',
                what: message % 5 ? 'handled' : 'failed', undoes: false, attempt: 1,
                messageId: `m-${order}-${message}`, messageType: 'OrderCreated',
                orderId: `order-${String(order).padStart(5, '0')}`, source: 'shop.order',
                sentAt: '2026-01-15T10:30:00Z', causationId: null, traceId: null,
            });
        }
        if (order % 100) continue;
        for (const id of model.forgotten) orders.forget(id);
        model.forgotten.clear();
        for (const changed of model.changed) orders.update(changed);
        model.changed.clear();
    }
    // What is told late of an order that is forgotten doesn't drive out another one.
    model.apply({ id: 'late-1', orderId: 'order-00001', what: 'handled', service: 'shop.order' });
    for (const id of model.forgotten) orders.forget(id);
    for (const changed of model.changed) orders.update(changed);
    list.getBoundingClientRect();
    const millis = Math.round(performance.now() - began);
    const [kept, rows] = [model.orders.size, list.children.length];
    const [newest, oldest] = [list.firstElementChild, list.lastElementChild];
    return {
        millis, orders: kept, rows,
        newest: newest.dataset.order, oldest: oldest.dataset.order,
    };
})()";
