//! Structs of the state as lists of numbered fields, leaving out those with their default value. So
//! fields can be added without a new version.

/// Stores a struct as the list of its fields that don't have their default value. A field's number
/// is its position in this list: new fields are added at the end, and none is removed or changes
/// its type. Fields that aren't listed aren't stored.
///
/// `Old field = Former` is a field that is read in its old form and converted, and no longer
/// written.
macro_rules! stored_fields {
    ($owner:ty { $($number:ident $field:ident $(: $kind:ty)? $(= $former:ty)?,)+ }) => {
        const _: () = {
            #[derive(serde::Deserialize)]
            enum Field {
                $($number($($kind)? $($former)?),)+
            }

            #[derive(serde::Serialize)]
            #[allow(dead_code, reason = "a field that is no longer written keeps its number")]
            enum FieldRef<'a> {
                $($number($(&'a $kind)? $(std::marker::PhantomData<&'a $former>)?),)+
            }

            impl serde::Serialize for $owner {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    let default = <$owner>::default();
                    let mut fields = Vec::new();
                    $($({
                        let field: &$kind = &self.$field;
                        if *field != default.$field {
                            fields.push(FieldRef::$number(field));
                        }
                    })?)+
                    fields.serialize(to)
                }
            }

            impl<'de> serde::Deserialize<'de> for $owner {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    let mut stored = <$owner>::default();
                    for field in <Vec<Field> as serde::Deserialize>::deserialize(from)? {
                        match field {
                            $(Field::$number(value) => stored.$field = value.into(),)+
                        }
                    }
                    Ok(stored)
                }
            }
        };
    };
}

pub(crate) use stored_fields;
