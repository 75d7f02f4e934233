// A belt or watch with Bluetooth's standard heart rate service in, its measurements out.
package dev.onwrist.example.phone

import android.annotation.SuppressLint
import android.bluetooth.BluetoothDevice
import android.bluetooth.BluetoothGatt
import android.bluetooth.BluetoothGattCallback
import android.bluetooth.BluetoothGattCharacteristic
import android.bluetooth.BluetoothGattDescriptor
import android.bluetooth.BluetoothManager
import android.bluetooth.BluetoothProfile
import android.bluetooth.le.ScanCallback
import android.bluetooth.le.ScanFilter
import android.bluetooth.le.ScanResult
import android.bluetooth.le.ScanSettings
import android.content.Context
import android.os.Build
import android.os.ParcelUuid
import android.os.SystemClock
import dev.onwrist.example.HeartRateMeasurement

/**
 * The first sensor that is found. Measurements are told with the nanoseconds since boot at
 * which they arrived: the service has no time of its own.
 *
 * To be started once the permissions BLUETOOTH_SCAN and BLUETOOTH_CONNECT are granted.
 */
@SuppressLint("MissingPermission")
class HeartRateBelt(
    private val context: Context,
    private val measured: (Long, HeartRateMeasurement) -> Unit,
    private val tell: (String) -> Unit,
) {
    private val adapter = context.getSystemService(BluetoothManager::class.java).adapter
    private var gatt: BluetoothGatt? = null

    fun start() {
        val scanner = adapter?.bluetoothLeScanner
        if (scanner == null) {
            tell("Bluetooth is off, or this phone has none: turn it on and try again")
            return
        }
        val filter = ScanFilter.Builder().setServiceUuid(ParcelUuid(HeartRateMeasurement.SERVICE))
        scanner.startScan(listOf(filter.build()), ScanSettings.Builder().build(), found)
        tell("looking for a heart rate sensor: wear it, and let no other app hold it")
    }

    fun stop() {
        adapter?.bluetoothLeScanner?.stopScan(found)
        gatt?.close()
        gatt = null
    }

    private val found = object : ScanCallback() {
        override fun onScanResult(callbackType: Int, result: ScanResult) {
            adapter?.bluetoothLeScanner?.stopScan(this)
            if (gatt == null) connect(result.device)
        }

        override fun onScanFailed(errorCode: Int) = tell("the search failed with code $errorCode")
    }

    private fun connect(device: BluetoothDevice) {
        // With autoConnect the system comes back by itself when the sensor is near again.
        gatt = device.connectGatt(context, true, callback)
    }

    private val callback = object : BluetoothGattCallback() {
        override fun onConnectionStateChange(gatt: BluetoothGatt, status: Int, newState: Int) {
            if (newState == BluetoothProfile.STATE_CONNECTED) {
                gatt.discoverServices()
            } else if (newState == BluetoothProfile.STATE_DISCONNECTED) {
                tell("the sensor is away: what it would have measured is missing")
            }
        }

        override fun onServicesDiscovered(gatt: BluetoothGatt, status: Int) {
            val characteristic = gatt.getService(HeartRateMeasurement.SERVICE)
                ?.getCharacteristic(HeartRateMeasurement.CHARACTERISTIC)
            val configuration = characteristic?.getDescriptor(HeartRateMeasurement.CONFIGURATION)
            if (characteristic == null || configuration == null) {
                tell("this sensor has no heart rate to be told of")
                return
            }
            gatt.setCharacteristicNotification(characteristic, true)
            val enable = BluetoothGattDescriptor.ENABLE_NOTIFICATION_VALUE
            if (Build.VERSION.SDK_INT >= 33) {
                gatt.writeDescriptor(configuration, enable)
            } else {
                @Suppress("DEPRECATION")
                configuration.value = enable
                @Suppress("DEPRECATION")
                gatt.writeDescriptor(configuration)
            }
            tell("connected")
        }

        override fun onCharacteristicChanged(
            gatt: BluetoothGatt,
            characteristic: BluetoothGattCharacteristic,
            value: ByteArray,
        ) {
            val now = SystemClock.elapsedRealtimeNanos()
            HeartRateMeasurement.of(value)?.let { measured(now, it) }
        }

        @Deprecated("Before Android 13")
        @Suppress("DEPRECATION", "OVERRIDE_DEPRECATION")
        override fun onCharacteristicChanged(
            gatt: BluetoothGatt,
            characteristic: BluetoothGattCharacteristic,
        ) {
            if (Build.VERSION.SDK_INT < 33) {
                onCharacteristicChanged(gatt, characteristic, characteristic.value)
            }
        }
    }
}
