//! Values that Google's JSON mapping writes in more than one way: numbers as texts, one item in place of a list.

use super::parts::PartList;
use super::wire::WireContent;
use crate::reading::loose::{Capped, otherwise};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;

/// A whole number: `5`, `5.0` or `"5"`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole(pub(super) i64);

/// A number: `0.5` or `"0.5"`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Real(pub(super) f64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Real::deserialize(deserializer)?.0;
        // Every whole number up to 2^53 is itself as a float; beyond that nothing here counts.
        if number.fract() == 0.0 { Ok(Whole(number as i64)) } else { Err(wrong("a whole number")) }
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Real;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Real, E> {
                Ok(Real(number as f64))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Real, E> {
                Ok(Real(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Real, E> {
                Ok(Real(number))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Real, E> {
                text.trim()
                    .parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite())
                    .map(Real)
                    .ok_or_else(|| wrong("a number"))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// An error in the words that the reader understands; the value itself is not repeated.
fn wrong<E: Error>(expected: &'static str) -> E {
    E::invalid_value(Unexpected::Other("value"), &expected)
}

/// `contents`: a list; a single content or a text stands for itself.
#[derive(Debug)]
pub(super) struct Contents<const MAX: usize>(pub(super) Capped<Content, MAX>);

impl<'de, const MAX: usize> Deserialize<'de> for Contents<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<const MAX: usize>;
        impl<'de, const MAX: usize> Visitor<'de> for Either<MAX> {
            type Value = Contents<MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of contents")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                let list = serde::de::value::SeqAccessDeserializer::new(seq);
                Ok(Contents(Capped::deserialize(list)?))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Contents(Capped { items: vec![Content::text(text)], total: 1 }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(Contents(Capped { items: vec![Content::from_map(map)?], total: 1 }))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A content: an object; a text or a list of parts stands for a content without role.
#[derive(Debug)]
pub(super) struct Content(pub(super) WireContent);

impl Content {
    fn text(text: &str) -> Self {
        Content(WireContent { parts: Some(PartList::text(text)), ..WireContent::default() })
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let map = serde::de::value::MapAccessDeserializer::new(map);
        Ok(Content(WireContent::deserialize(map)?))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content with `parts`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Content, A::Error> {
                let list = serde::de::value::SeqAccessDeserializer::new(seq);
                Ok(Content(WireContent { parts: Some(PartList::deserialize(list)?), ..WireContent::default() }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
                Content::from_map(map)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A member whose value does not matter, only that it is there and not `false` or empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present(pub(super) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Present;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Present, E> {
                Ok(Present(flag))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Present, A::Error> {
                let mut any = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    any = true;
                }
                Ok(Present(any))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Present, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Present(true))
            }
            otherwise!(Present(true); visit_str(&str) visit_i64(i64) visit_u64(u64) visit_f64(f64));
        }
        deserializer.deserialize_any(Anything)
    }
}
