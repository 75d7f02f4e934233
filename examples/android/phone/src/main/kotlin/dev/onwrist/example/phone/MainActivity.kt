// The screen of the phone: the history of Health Connect day by day, and today as it comes.
package dev.onwrist.example.phone

import android.Manifest
import android.os.Bundle
import android.os.SystemClock
import android.provider.Settings
import android.widget.Button
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.health.connect.client.HealthConnectClient
import androidx.health.connect.client.PermissionController
import androidx.health.connect.client.permission.HealthPermission
import androidx.health.connect.client.records.HeartRateRecord
import androidx.health.connect.client.records.StepsRecord
import androidx.lifecycle.lifecycleScope
import dev.onwrist.Model
import dev.onwrist.OnwristError
import dev.onwrist.Prediction
import dev.onwrist.Signal
import dev.onwrist.bundles.DayLsm2
import dev.onwrist.bundles.DayLsm2.get
import dev.onwrist.example.Reading
import dev.onwrist.example.worker
import java.io.IOException
import java.time.Duration
import java.time.Instant
import java.time.ZoneId
import java.time.ZoneOffset
import java.util.Locale
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.launch

class MainActivity : ComponentActivity() {
    private val work = worker()
    private var model: Model? = null
    private var belt: HeartRateBelt? = null
    private var counter: StepCounter? = null
    private lateinit var screen: TextView

    private val records = setOf(
        HealthPermission.getReadPermission(HeartRateRecord::class),
        HealthPermission.getReadPermission(StepsRecord::class),
    )
    private val bluetooth =
        listOf(Manifest.permission.BLUETOOTH_SCAN, Manifest.permission.BLUETOOTH_CONNECT)
    private val askForRecords =
        registerForActivityResult(PermissionController.createRequestPermissionResultContract()) {
            if (it.containsAll(records)) showHistory() else
                tell("no history: allow heart rate and steps in Health Connect, App permissions")
        }
    private val askForSensors =
        registerForActivityResult(ActivityResultContracts.RequestMultiplePermissions(), ::goLive)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        screen = TextView(this)
        val column = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
        column.addView(button("History of Health Connect", ::askForHistory))
        column.addView(
            button("Heart rate sensor") {
                val others = Manifest.permission.ACTIVITY_RECOGNITION
                askForSensors.launch((bluetooth + others).toTypedArray())
            },
        )
        column.addView(screen)
        setContentView(ScrollView(this).apply { addView(column) })
        work.execute {
            try {
                model = DayLsm2.open(assets)
                tell("${DayLsm2.NAME} ${DayLsm2.VERSION} is proven on this phone")
            } catch (error: OnwristError) {
                tell(error.message.orEmpty())
            }
        }
    }

    override fun onDestroy() {
        belt?.stop()
        counter?.stop()
        work.execute { model?.close() }
        work.shutdown()
        super.onDestroy()
    }

    private fun askForHistory() {
        if (HealthConnectClient.getSdkStatus(this) == HealthConnectClient.SDK_AVAILABLE) {
            askForRecords.launch(records)
        } else {
            tell("Health Connect is not on this phone: install or update it in the store")
        }
    }

    private fun showHistory() = withHistory(Duration.ofDays(14)) { open, signals ->
        if (signals.isEmpty()) tell("Health Connect has no heart rate and no steps of two weeks")
        else open.predictRecording(signals).forEach(::show)
    }

    private fun goLive(granted: Map<String, Boolean>) = withHistory(Duration.ofDays(1)) { open, signals ->
        runOnUiThread {
            belt?.stop()
            counter?.stop()
            val day = LiveDay(open, ::read, work, ::show, ::tell)
            day.begin(signals)
            if (bluetooth.all { granted[it] == true }) {
                belt = HeartRateBelt(this, day::measured, ::tell).also { it.start() }
            } else {
                tell("Bluetooth was refused: allow nearby devices in the settings of this app")
            }
            if (granted[Manifest.permission.ACTIVITY_RECOGNITION] == true) {
                counter = StepCounter(this, day::walked).also { it.start() }
            }
        }
    }

    /** Run on the records of the last days, none where Health Connect gives none. */
    private fun withHistory(length: Duration, use: (Model, Map<String, Signal>) -> Unit) {
        val open = model ?: return tell("the model is not open yet")
        lifecycleScope.launch {
            val signals = try {
                val now = Instant.now()
                val client = HealthConnectClient.getOrCreate(this@MainActivity)
                HealthHistory(client).read(now - length, now)
            } catch (error: SecurityException) {
                emptyMap()
            } catch (error: UnsupportedOperationException) {
                emptyMap()
            } catch (error: IllegalStateException) {
                if (error is CancellationException) throw error
                tell("Health Connect does not answer: ${error.message}")
                emptyMap()
            } catch (error: IOException) {
                tell("Health Connect could not read its records: try again")
                emptyMap()
            }
            work.execute {
                try {
                    use(open, signals)
                } catch (error: OnwristError) {
                    tell(error.message.orEmpty())
                }
            }
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
        val end = Instant.ofEpochSecond((prediction.end ?: 0.0).toLong()).atOffset(ZoneOffset.UTC)
        val active = prediction[DayLsm2.Task.ACTIVE_MINUTES]
        val answer = if (active.abstained) "no answer, ${active.reason}" else
            String.format(Locale.ROOT, "%.0f active minutes in the next hour", active.value)
        tell("${end.toLocalDate()} ${end.toLocalTime()}: $answer")
    }

    private fun tell(message: String) = runOnUiThread { screen.append("$message\n") }

    private fun button(text: String, pressed: () -> Unit) = Button(this).apply {
        this.text = text
        setOnClickListener { pressed() }
    }
}
