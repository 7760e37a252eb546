//! Where snapshots are kept: the same for memory and databases.

use stele_toolkit_envelope::RawJson;
use stele_toolkit_es::{Kept, MemorySnapshots, Snapshots, SqlSnapshots};

use crate::{
    events::{start, stream},
    home::Home,
};

fn kept(version: u64) -> Kept {
    Kept {
        version,
        time: start(),
        state: RawJson::parse(&format!(r#"{{"at":{version}}}"#)).unwrap(),
    }
}

async fn the_latest_of_a_code_version_is_kept(snapshots: &dyn Snapshots) {
    let stream = stream("kept");
    assert_eq!(snapshots.load(&stream, 2).await.unwrap(), None);
    snapshots.save(&stream, 2, kept(5)).await.unwrap();
    snapshots.save(&stream, 2, kept(4)).await.unwrap();
    assert_eq!(
        snapshots.load(&stream, 2).await.unwrap(),
        Some(kept(5)),
        "not the earlier one"
    );
    snapshots.save(&stream, 2, kept(6)).await.unwrap();
    assert_eq!(snapshots.load(&stream, 2).await.unwrap(), Some(kept(6)));
    for other in [1, 3] {
        assert_eq!(snapshots.load(&stream, other).await.unwrap(), None);
    }
    let other = crate::events::stream("other");
    assert_eq!(snapshots.load(&other, 2).await.unwrap(), None);

    // Two versions of a program beside each other, until the older one is gone.
    snapshots.save(&stream, 1, kept(7)).await.unwrap();
    assert_eq!(snapshots.load(&stream, 2).await.unwrap(), Some(kept(6)));
    snapshots.save(&stream, 2, kept(8)).await.unwrap();
    assert_eq!(snapshots.load(&stream, 1).await.unwrap(), None);
}

#[tokio::test]
async fn in_memory() {
    the_latest_of_a_code_version_is_kept(&MemorySnapshots::default()).await;
}

#[tokio::test]
async fn on_sqlite() {
    let home = Home::sqlite();
    let snapshots = SqlSnapshots::open(home.open().await).await.unwrap();
    the_latest_of_a_code_version_is_kept(&snapshots).await;
}

#[tokio::test]
async fn on_postgres() {
    let home = Home::postgres().await;
    let snapshots = SqlSnapshots::open(home.open().await).await.unwrap();
    the_latest_of_a_code_version_is_kept(&snapshots).await;
}
