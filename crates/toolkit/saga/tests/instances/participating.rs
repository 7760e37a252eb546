use stele_toolkit_saga::{ActionId, Begun, Cancelled, Participant, SagaError};

use crate::order::{World, sent};

crate::home::claims! { crate::order::World::new:
    a_command_that_comes_again_gets_the_reply_again;
    an_undo_that_comes_first_keeps_the_action_from_being_done;
    what_was_done_is_undone_once;
    a_command_without_an_action_is_refused;
}

async fn command(world: &World) -> ActionId {
    let started = world.handle(&world.created("req-1")).await;
    ActionId::of(&sent(&started).remove(0)).unwrap()
}

async fn begun(world: &World, command: &ActionId) -> Begun {
    let mut tx = world.begin().await;
    let begun = Participant.begin(&mut tx, command).await.unwrap();
    if begun == Begun::Do {
        Participant
            .done(&mut tx, command, "reserved")
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    begun
}

async fn cancelled(world: &World, command: &ActionId) -> Cancelled {
    let mut tx = world.begin().await;
    let cancelled = Participant.cancel(&mut tx, command).await.unwrap();
    tx.commit().await.unwrap();
    cancelled
}

async fn a_command_that_comes_again_gets_the_reply_again(world: World) {
    let command = command(&world).await;
    assert_eq!(begun(&world, &command).await, Begun::Do);
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
    let error = ActionId::of(&world.created("req-1")).unwrap_err();
    assert!(matches!(error, SagaError::NoActionId));
}
