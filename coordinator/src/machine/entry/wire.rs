//! How the checked types are written in JSON: numbers as numbers, names and key ranges as text.

use std::num::NonZeroU16;

use proto::types::{Epoch, Incarnation, KeyRange, Keying, NodeId, RangeId, Slot};

macro_rules! number {
    ($module:ident, $type:ty, $inner:ty, $get:expr, $make:expr) => {
        pub(in crate::machine) mod $module {
            use super::*;

            pub(in crate::machine) fn serialize<S: serde::Serializer>(
                value: &$type,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                let inner: $inner = ($get)(*value);
                serde::Serialize::serialize(&inner, to)
            }

            pub(in crate::machine) fn deserialize<'de, D: serde::Deserializer<'de>>(
                from: D,
            ) -> Result<$type, D::Error> {
                let inner: $inner = serde::Deserialize::deserialize(from)?;
                Ok(($make)(inner))
            }
        }
    };
}

number!(slot, Slot, u64, |slot: Slot| slot.0, Slot);
number!(range, RangeId, u16, |range: RangeId| range.0, RangeId);
number!(incarnation, Incarnation, u64, |number: Incarnation| number.0, Incarnation);
number!(epoch, Epoch, u64, Epoch::get, Epoch::new);

pub(in crate::machine) mod keying {
    use super::{Keying, NonZeroU16};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(in crate::machine) const fn is_plain(keying: &Keying) -> bool {
        keying.partitions().is_none()
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(in crate::machine) fn serialize<S: serde::Serializer>(
        keying: &Keying,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(&keying.partitions(), to)
    }

    pub(in crate::machine) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Keying, D::Error> {
        let partitions: Option<NonZeroU16> = serde::Deserialize::deserialize(from)?;
        Ok(partitions.map_or_else(Keying::default, Keying::by))
    }
}

pub(in crate::machine) mod node {
    use serde::de::Error;

    use super::NodeId;

    pub(in crate::machine) fn serialize<S: serde::Serializer>(
        node: &NodeId,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(node.as_str())
    }

    pub(in crate::machine) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<NodeId, D::Error> {
        let name: String = serde::Deserialize::deserialize(from)?;
        NodeId::new(&name).map_err(D::Error::custom)
    }
}

pub(in crate::machine) mod keys {
    use serde::de::Error;

    use super::KeyRange;

    pub(in crate::machine) fn serialize<S: serde::Serializer>(
        keys: &KeyRange,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(keys)
    }

    pub(in crate::machine) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<KeyRange, D::Error> {
        let text: String = serde::Deserialize::deserialize(from)?;
        parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no range of keys")))
    }

    fn parse(text: &str) -> Option<KeyRange> {
        let (start, end) = text.split_once('-')?;
        let bound = |digits| u64::from_str_radix(digits, 16).ok();
        KeyRange::new(bound(start)?, bound(end)?)
    }
}
