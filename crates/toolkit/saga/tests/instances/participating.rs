use stele_toolkit_envelope::Envelope;
use stele_toolkit_saga::{Begun, Cancelled, Participant, SagaError};

use crate::order::{World, sent};

crate::claims! {
    a_command_that_comes_again_gets_the_reply_again;
    an_undo_that_comes_first_keeps_the_action_from_being_done;
    what_was_done_is_undone_once;
    a_command_without_an_action_is_refused;
}

async fn command(world: &World) -> Envelope {
    let started = world.handle(&world.created("req-1")).await;
    sent(&started).remove(0)
}

async fn begun(world: &World, command: &Envelope) -> Begun {
    let mut tx = world.begin().await;
    let begun = Participant.begin(&mut tx, command).await.unwrap();
    if let Begun::Do(action) = &begun {
        Participant.done(&mut tx, action, "reserved").await.unwrap();
    }
    tx.commit().await.unwrap();
    begun
}

async fn cancelled(world: &World, command: &Envelope) -> Cancelled {
    let mut tx = world.begin().await;
    let cancelled = Participant.cancel(&mut tx, command).await.unwrap();
    tx.commit().await.unwrap();
    cancelled
}

async fn a_command_that_comes_again_gets_the_reply_again(world: World) {
    let command = command(&world).await;
    assert!(matches!(begun(&world, &command).await, Begun::Do(_)));
    assert_eq!(
        begun(&world, &command).await,
        Begun::Again("reserved".to_owned())
    );
}

async fn an_undo_that_comes_first_keeps_the_action_from_being_done(world: World) {
    let command = command(&world).await;
    assert_eq!(cancelled(&world, &command).await, Cancelled::Nothing);
    assert_eq!(begun(&world, &command).await, Begun::Cancelled);
}

async fn what_was_done_is_undone_once(world: World) {
    let command = command(&world).await;
    begun(&world, &command).await;
    assert_eq!(cancelled(&world, &command).await, Cancelled::Undo);
    assert_eq!(cancelled(&world, &command).await, Cancelled::Nothing);
    assert_eq!(begun(&world, &command).await, Begun::Cancelled);
}

async fn a_command_without_an_action_is_refused(world: World) {
    let stranger = world.created("req-1");
    let mut tx = world.begin().await;
    let error = Participant.begin(&mut tx, &stranger).await.unwrap_err();
    assert!(matches!(error, SagaError::NoActionId));
}
