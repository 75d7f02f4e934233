// The files of a bundle among the assets of an Android app; the only file of the host that
// names a class of Android.
package dev.onwrist

import android.content.res.AssetManager

/** Reads from a folder of the assets, such as "onwrist/wrist-himae". */
class AssetFiles(private val assets: AssetManager, private val folder: String) : Files {
    override fun read(name: String): ByteArray = assets.open("$folder/$name").use { it.readBytes() }
}
