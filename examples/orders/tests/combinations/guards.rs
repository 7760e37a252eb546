//! The audit finds what each guard prevents, once the guard is switched off. With all of them on,
//! the tests under chaos show that it finds nothing.

use tokio::join;

use crate::shop::Shop;

/// For how long the audit looks again: what doesn't agree then isn't under way any more.
const PATIENCE: &str = "--patience-s=5";

async fn without(guard: &str, faults: &str) -> Shop {
    let guard = format!("--without={guard}");
    Shop::open_with("amqp", "choreographed", &[&guard, "--mortal", faults]).await
}

/// The audit fails, and says this.
async fn finds(shop: Shop, fault: &str) {
    let (report, agrees) = shop.command("audit", &[PATIENCE]).await;
    assert!(!agrees && report.contains(fault), "{report}");
    shop.close().await;
}

#[tokio::test]
async fn without_the_inbox_sales_are_counted_twice() {
    let shop = without("inbox", "--doubles=0.3").await;
    shop.succeed("load", &["--orders=30", "--rate=30"]).await;
    finds(shop, "sales: ").await;
}

#[tokio::test]
async fn without_the_outbox_a_customer_hears_nothing_of_a_shipment() {
    let shop = without("outbox", "--doubles=0").await;
    let deaths = [
        "--kills=0",
        "--deaths=1",
        "--points=after_commit",
        "--processes=shipping",
    ];
    let load = ["--orders=60", "--rate=30", "--only=good"];
    join!(shop.succeed("load", &load), shop.succeed("chaos", &deaths));
    finds(shop, ".shipped@shop.example> wasn't sent").await;
}

#[tokio::test]
async fn without_tombstones_stock_stays_set_aside() {
    let shop = without("tombstone", "--delays=0.5").await;
    let load = ["--orders=30", "--rate=30", "--only=declined"];
    shop.succeed("load", &load).await;
    finds(shop, "(cancelled): \"reserved\", not \"released\"").await;
}

#[tokio::test]
async fn without_fencing_a_charge_is_booked_twice() {
    let shop = without("fencing", "--doubles=0").await;
    let load = ["--orders=60", "--rate=30", "--only=answered-twice"];
    shop.succeed("load", &load).await;
    finds(shop, "booked for order-").await;
}
