package android.content

import android.content.res.AssetManager
import java.io.File

class ContentResolver

open class Context {
    val assets: AssetManager get() = AssetManager(File("."))
    val contentResolver: ContentResolver get() = ContentResolver()
    fun <T> getSystemService(service: Class<T>): T = TODO(service.name)
}
