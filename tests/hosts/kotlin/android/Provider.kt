package android.provider

import android.content.ContentResolver

object Settings {
    object Global {
        const val BOOT_COUNT = "boot_count"

        fun getInt(resolver: ContentResolver, name: String, otherwise: Int): Int =
            TODO("$resolver $name $otherwise")
    }
}
