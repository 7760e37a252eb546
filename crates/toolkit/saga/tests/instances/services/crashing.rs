//! The order service crashes at each point, and starts again.

use stele_toolkit_saga::Status;
use stele_toolkit_sql::Point;

use super::world::World;

crate::home::claims! { crate::services::world::World::new:
    a_crash_at_any_point_neither_loses_nor_repeats_a_step;
    a_crash_while_a_deadline_is_told_loses_nothing;
}

/// What the order service itself passes; the broker's side is in the tests of the bus.
const POINTS: [Point; 5] = [
    Point::BeforeCommit,
    Point::AfterCommit,
    Point::BeforeSend,
    Point::AfterSend,
    Point::BeforeDelete,
];

async fn a_crash_at_any_point_neither_loses_nor_repeats_a_step(world: World) {
    for point in POINTS {
        let order = format!("o-{}", point.name());
        world.arm(point).await;
        world.place(&order).await;
        world.crash_and_start().await;
        world.until_status(&order, Status::Done).await;
        let effects = ["reserved", "charged", "shipped"];
        assert_eq!(world.effects(&order).await, effects, "{point:?}");
    }
}

async fn a_crash_while_a_deadline_is_told_loses_nothing(world: World) {
    for point in [Point::BeforeCommit, Point::AfterCommit] {
        let order = format!("slow-{}", point.name());
        world.place(&order).await;
        world.until_sent(&order, "charge").await;
        world
            .until(async || world.broker.queue("payment.commands").is_empty())
            .await;
        world.arm(point).await;
        world.advance(30);
        world.crash_and_start().await;
        world.until_status(&order, Status::Undone).await;
        assert_eq!(world.effects(&order).await, ["reserved", "released"]);
    }
}
