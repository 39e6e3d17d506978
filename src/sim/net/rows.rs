//! A table by small numbers that are given out once: connections, of which a few live at any time and
//! which are looked up at every step.

/// See the module documentation. Goes over its entries in the order of their numbers.
pub(super) struct Rows<T> {
    /// By number. One that is gone leaves a word.
    slots: Vec<Option<Box<T>>>,
    /// The numbers that are there, in order.
    live: Vec<u64>,
}

impl<T> Rows<T> {
    pub fn new() -> Rows<T> {
        Rows { slots: Vec::new(), live: Vec::new() }
    }

    #[inline]
    pub fn get(&self, number: u64) -> Option<&T> {
        self.slots.get(number as usize)?.as_deref()
    }

    #[inline]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.slots.get_mut(number as usize)?.as_deref_mut()
    }

    pub fn contains(&self, number: u64) -> bool {
        self.get(number).is_some()
    }

    /// Enters one, in place of what had that number.
    pub fn insert(&mut self, number: u64, row: T) {
        let at = number as usize;
        while self.slots.len() <= at {
            self.slots.push(None);
        }
        if self.slots[at].replace(Box::new(row)).is_none() {
            let place = self.live.partition_point(|own| *own < number);
            self.live.insert(place, number);
        }
    }

    pub fn remove(&mut self, number: u64) -> Option<T> {
        let row = self.slots.get_mut(number as usize)?.take()?;
        self.live.retain(|own| *own != number);
        Some(*row)
    }

    /// Lets go of those that are not to be kept.
    pub fn retain(&mut self, keep: impl Fn(u64, &T) -> bool) {
        let Rows { slots, live } = self;
        live.retain(|number| {
            let Some(slot) = slots.get_mut(*number as usize) else { return false };
            let kept = slot.as_deref().is_some_and(|row| keep(*number, row));
            if !kept {
                *slot = None;
            }
            kept
        });
    }

    /// The numbers that are there.
    pub fn numbers(&self) -> &[u64] {
        &self.live
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.live.iter().filter_map(|number| Some((*number, self.get(*number)?)))
    }

    /// Shows each, to be changed.
    pub fn each(&mut self, mut act: impl FnMut(u64, &mut T)) {
        for number in &self.live {
            if let Some(Some(row)) = self.slots.get_mut(*number as usize) {
                act(*number, row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_number_and_gone_over_in_order() {
        let mut rows = Rows::new();
        for number in [3, 0, 7, 4] {
            rows.insert(number, number * 10);
        }
        rows.insert(4, 41);
        assert_eq!(rows.remove(0), Some(0));
        assert_eq!((rows.remove(0), rows.remove(99)), (None, None));
        *rows.get_mut(7).unwrap() += 1;
        rows.each(|number, row| *row += number);
        rows.retain(|number, row| number != 4 || *row != 45);
        let all: Vec<_> = rows.iter().map(|(number, row)| (number, *row)).collect();
        assert_eq!(all, [(3, 33), (7, 78)]);
        assert_eq!(rows.numbers(), [3, 7]);
        assert!(rows.contains(3) && !rows.contains(4) && rows.get(8).is_none());
    }
}
