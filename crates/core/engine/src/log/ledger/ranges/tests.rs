use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u64),
    Remove(u64),
    RemoveBefore(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40u64, 0..6u64).prop_map(|(first, count)| Step::Insert(first, count)),
        (0..46u64).prop_map(Step::Remove),
        (0..20u64).prop_map(Step::RemoveBefore),
    ]
}

proptest! {
    #[test]
    fn ranges_behave_like_a_set_of_offsets(steps in prop::collection::vec(step(), 0..60)) {
        let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Insert(first, count) => {
                    ranges.insert(Offset(first), count);
                    set.extend(first..first + count);
                }
                Step::Remove(offset) => {
                    ranges.remove(Offset(offset));
                    set.remove(&offset);
                }
                Step::RemoveBefore(to) => {
                    ranges.remove_before(Offset(to));
                    set.retain(|&offset| offset >= to);
                }
            }
            for offset in 0..50 {
                prop_assert_eq!(ranges.contains(Offset(offset)), set.contains(&offset));
                prop_assert_eq!(
                    ranges.count_before(Offset(offset)),
                    set.range(..offset).count() as u64
                );
            }
            let touching = ranges.ends.values().any(|end| ranges.ends.contains_key(end));
            prop_assert!(!touching);
        }
    }
}
