//! Functions as an application's crate has them; only their argument structs matter here.

use hull_model::{Function, FunctionKind, FunctionPaths, Object, Visibility};

macro_rules! functions {
    ($($name:ident: $kind:ident, $wire:literal { $($field:ident: $type:ty),* } -> $output:ty;)*) => {$(
        #[derive(Object)]
        #[allow(non_camel_case_types)]
        pub struct $name { $(pub $field: $type),* }

        impl Function for $name {
            type Output = $output;
            const NAME: &'static str = $wire;
            const KIND: FunctionKind = FunctionKind::$kind;
            const VISIBILITY: Visibility = Visibility::Public;
            const DOC: &'static str = "";
        }
    )*};
}

functions! {
    count: Query, "count" { user_id: String } -> f64;
    names: Query, "names" {} -> Vec<String>;
    add: Mutation, "add" { by: f64 } -> f64;
    send_mail: Action, "sendMail" { to: String } -> ();
    elsewhere: Query, "elsewhere" {} -> ();
}

pub fn paths() -> FunctionPaths {
    FunctionPaths::default().with::<count>("m").with::<names>("m").with::<add>("m").with::<send_mail>("m")
}
