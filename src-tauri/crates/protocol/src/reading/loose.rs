//! Values that are read with tolerance or under a cap.

use super::notes::Fault;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Visits that turn every JSON value not named otherwise into one and the same result.
macro_rules! otherwise {
    ($value:expr; $($method:ident($type:ty))*) => {
        $(fn $method<E>(self, _: $type) -> Result<Self::Value, E> { Ok($value) })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok($value) }
    };
    ($value:expr; $($method:ident($type:ty))*; seq) => {
        otherwise!($value; $($method($type))*);
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
    ($value:expr; $($method:ident($type:ty))*; seq map) => {
        otherwise!($value; $($method($type))*; seq);
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}
pub(crate) use otherwise;

/// A value of the right type, or the mark that it had another one.
#[derive(Debug)]
pub(crate) enum Loose<T> {
    Is(T),
    Other,
}

impl<'de> Deserialize<'de> for Loose<String> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Loose<String>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Loose::Is(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Loose::Is(text))
            }
            otherwise!(Loose::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq map);
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for Loose<bool> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Flag;
        impl<'de> Visitor<'de> for Flag {
            type Value = Loose<bool>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Loose::Is(flag))
            }
            otherwise!(Loose::Other; visit_str(&str) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq map);
        }
        deserializer.deserialize_any(Flag)
    }
}

/// An object, a text, or something else.
#[derive(Debug)]
pub(crate) enum Either<T> {
    Object(Box<T>),
    Text(String),
    Other,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Either<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Either<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Either::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Either::Text(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Ok(Either::Object(Box::new(T::deserialize(map)?)))
            }
            otherwise!(Either::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64); seq);
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// A list that reads at most `MAX` items and then only counts on, so that a hostile list cannot fill the memory.
#[derive(Debug)]
pub(crate) struct Capped<T, const MAX: usize> {
    pub(crate) items: Vec<T>,
    pub(crate) total: usize,
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Capped<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = Capped<T, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < MAX {
                    match seq.next_element()? {
                        Some(item) => items.push(item),
                        None => return Ok(Capped { total: items.len(), items }),
                    }
                }
                let mut total = items.len();
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    total += 1;
                }
                Ok(Capped { items, total })
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

impl<T, const MAX: usize> Capped<T, MAX> {
    /// The items, unless there are too many.
    pub(crate) fn within(self, path: &str) -> Result<Vec<T>, Fault> {
        if self.total > MAX {
            let message = format!("List should have at most {MAX} items, not {}", self.total);
            return Err(Fault::new("too_many", path, message));
        }
        Ok(self.items)
    }
}
