package android.bluetooth

import android.bluetooth.le.BluetoothLeScanner
import android.content.Context
import java.util.UUID

class BluetoothManager(val adapter: BluetoothAdapter?)

class BluetoothAdapter(val bluetoothLeScanner: BluetoothLeScanner?)

class BluetoothDevice {
    fun connectGatt(context: Context, autoConnect: Boolean, callback: BluetoothGattCallback): BluetoothGatt =
        TODO("$context $autoConnect $callback")
}

class BluetoothGattDescriptor {
    @Deprecated("Before API 33")
    var value = ByteArray(0)

    companion object {
        val ENABLE_NOTIFICATION_VALUE = byteArrayOf(1, 0)
    }
}

class BluetoothGattCharacteristic {
    @Deprecated("Before API 33")
    val value = ByteArray(0)

    fun getDescriptor(uuid: UUID): BluetoothGattDescriptor? = TODO("$uuid")
}

class BluetoothGattService {
    fun getCharacteristic(uuid: UUID): BluetoothGattCharacteristic? = TODO("$uuid")
}

class BluetoothGatt {
    fun discoverServices(): Boolean = TODO()
    fun getService(uuid: UUID): BluetoothGattService? = TODO("$uuid")
    fun setCharacteristicNotification(characteristic: BluetoothGattCharacteristic, enable: Boolean): Boolean =
        TODO("$characteristic $enable")
    fun writeDescriptor(descriptor: BluetoothGattDescriptor, value: ByteArray): Int = TODO("$descriptor $value")

    @Deprecated("Before API 33")
    fun writeDescriptor(descriptor: BluetoothGattDescriptor): Boolean = TODO("$descriptor")
    fun close(): Unit = TODO()
}

object BluetoothProfile {
    const val STATE_DISCONNECTED = 0
    const val STATE_CONNECTED = 2
}

abstract class BluetoothGattCallback {
    open fun onConnectionStateChange(gatt: BluetoothGatt, status: Int, newState: Int) {}
    open fun onServicesDiscovered(gatt: BluetoothGatt, status: Int) {}
    open fun onCharacteristicChanged(
        gatt: BluetoothGatt, characteristic: BluetoothGattCharacteristic, value: ByteArray,
    ) {}

    @Deprecated("Before API 33")
    open fun onCharacteristicChanged(gatt: BluetoothGatt, characteristic: BluetoothGattCharacteristic) {}
}
