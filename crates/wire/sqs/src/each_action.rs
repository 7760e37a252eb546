//! The one list of the actions.

/// Calls the macro `$then` with every action, in three lists: those that answer something, those
/// whose answer is empty, and those of AWS that aren't offered here. Behind the name of one that is
/// offered stands the module of its two files: here under `actions/`, in the front under
/// `operations/`.
///
/// Names, requests, responses and the front's dispatch are made of it.
#[macro_export]
macro_rules! each_action {
    ($then:ident) => {
        $then! {
            [
                ChangeMessageVisibilityBatch(change_message_visibility_batch),
                CreateQueue(create_queue),
                DeleteMessageBatch(delete_message_batch),
                GetQueueAttributes(get_queue_attributes),
                GetQueueUrl(get_queue_url),
                ListQueueTags(list_queue_tags),
                ListQueues(list_queues),
                ReceiveMessage(receive_message),
                SendMessage(send_message),
                SendMessageBatch(send_message_batch),
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
                CancelMessageMoveTask,
                ListDeadLetterSourceQueues,
                ListMessageMoveTasks,
                RemovePermission,
                StartMessageMoveTask,
            ]
        }
    };
}
