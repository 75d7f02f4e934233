// The screen of the watch: asks for permissions, starts both models, shows what they answer.
package dev.onwrist.example.watch

import android.Manifest
import android.os.Build
import android.os.Bundle
import android.os.SystemClock
import android.provider.Settings
import android.view.WindowManager
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import dev.onwrist.Model
import dev.onwrist.OnwristError
import dev.onwrist.Prediction
import dev.onwrist.TaskResult
import dev.onwrist.bundles.DayLsm2
import dev.onwrist.bundles.WristHimae
import dev.onwrist.example.Reading
import dev.onwrist.example.worker
import java.time.Instant
import java.time.ZoneId
import java.util.Locale

class MainActivity : ComponentActivity() {
    private val work = worker()
    private val models = ArrayList<Model>()
    private var trackers: WristTrackers? = null
    private var day: DayMonitor? = null
    private lateinit var screen: TextView
    private val lines = sortedMapOf<String, String>()

    private val ask =
        registerForActivityResult(ActivityResultContracts.RequestMultiplePermissions()) {
            // What is refused is missing in the windows, and the models say so.
            work.execute(::open)
        }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        screen = TextView(this)
        setContentView(screen)
        write("model", "proving the engine")
        val body = if (Build.VERSION.SDK_INT >= 36) listOf(READ_HEART_RATE, READ_ADDITIONAL) else
            listOf(Manifest.permission.BODY_SENSORS)
        ask.launch((body + Manifest.permission.ACTIVITY_RECOGNITION).toTypedArray())
    }

    override fun onDestroy() {
        trackers?.stop()
        day?.stop()
        // A push that is under way ends before its model is closed.
        work.execute { models.forEach { it.close() } }
        work.shutdown()
        super.onDestroy()
    }

    /** Opening proves files and engine against the golden vectors; not on the main thread. */
    private fun open() {
        try {
            val wrist = WristHimae.open(assets).also(models::add)
            val days = DayLsm2.open(assets).also(models::add)
            runOnUiThread {
                if (isDestroyed) return@runOnUiThread
                write("model", wrist.manifest.toString())
                trackers = WristTrackers(this, wrist, work, ::show, ::tell).also { it.start() }
                day = DayMonitor(this, days, ::read, work, ::show, ::tell).also { it.start() }
            }
        } catch (error: OnwristError) {
            tell(error.message.orEmpty())
        }
    }

    private fun read(): Reading {
        val now = System.currentTimeMillis()
        return Reading(
            Settings.Global.getInt(contentResolver, Settings.Global.BOOT_COUNT, 0),
            SystemClock.elapsedRealtimeNanos(),
            now,
            ZoneId.systemDefault().rules.getOffset(Instant.ofEpochMilli(now)).totalSeconds,
        )
    }

    private fun show(prediction: Prediction) {
        for ((task, result) in prediction.tasks) write(task, told(result))
    }

    private fun tell(message: String) = write("note", message)

    private fun told(result: TaskResult): String {
        if (result.abstained) return "- (${result.reason})"
        val answer = result.label
            ?: String.format(Locale.ROOT, "%.0f %s", result.value, result.unit)
        return String.format(Locale.ROOT, "%s, %.0f %%", answer, 100 * (result.confidence ?: 0.0))
    }

    private fun write(name: String, text: String) = runOnUiThread {
        lines[name] = text
        screen.text = lines.entries.joinToString("\n") { (line, value) -> "$line: $value" }
    }

    private companion object {
        const val READ_HEART_RATE = "android.permission.health.READ_HEART_RATE"
        const val READ_ADDITIONAL =
            "com.samsung.android.hardware.sensormanager.permission.READ_ADDITIONAL_HEALTH_DATA"
    }
}
