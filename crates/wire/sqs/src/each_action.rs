//! The single list of the actions.

/// Calls the macro `$then` with every action, in three lists: those with a response, those whose
/// response is empty, and AWS's actions that aren't supported. After the name of a supported one
/// comes the module of its two files: under `actions/` here, under `operations/` in the front.
///
/// Names, requests, responses and the front's dispatch are generated from it.
#[macro_export]
macro_rules! each_action {
    ($then:ident) => {
        $then! {
            [
                CancelMessageMoveTask(cancel_message_move_task),
                ChangeMessageVisibilityBatch(change_message_visibility_batch),
                CreateQueue(create_queue),
                DeleteMessageBatch(delete_message_batch),
                GetQueueAttributes(get_queue_attributes),
                GetQueueUrl(get_queue_url),
                ListDeadLetterSourceQueues(list_dead_letter_source_queues),
                ListMessageMoveTasks(list_message_move_tasks),
                ListQueueTags(list_queue_tags),
                ListQueues(list_queues),
                ReceiveMessage(receive_message),
                SendMessage(send_message),
                SendMessageBatch(send_message_batch),
                StartMessageMoveTask(start_message_move_task),
            ]
            [
                ChangeMessageVisibility(change_message_visibility),
                DeleteMessage(delete_message),
                DeleteQueue(delete_queue),
                PurgeQueue(purge_queue),
                SetQueueAttributes(set_queue_attributes),
                TagQueue(tag_queue),
                UntagQueue(untag_queue),
            ]
            [
                AddPermission,
                RemovePermission,
            ]
        }
    };
}
