// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// The cheatcodes that are used here.
interface Vm {
    struct EthGetLogs {
        address emitter;
        bytes32[] topics;
        bytes data;
        bytes32 blockHash;
        uint64 blockNumber;
        bytes32 transactionHash;
        uint64 transactionIndex;
        uint256 logIndex;
        bool removed;
    }

    function envUint(string calldata name) external view returns (uint256);
    function readLine(string calldata path) external view returns (string memory);
    function envAddress(string calldata name) external view returns (address);
    function rpc(string calldata url, string calldata method, string calldata params) external returns (bytes memory);
    function eth_getLogs(uint256 from, uint256 to, address target, bytes32[] calldata topics) external returns (EthGetLogs[] memory);
}

contract Errors {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_SCRIPT = true;

    /// What forge raises when a cheatcode fails.
    error CheatcodeError(string message);

    function log(string memory text) private view {
        (bool ok,) = address(0x000000000000000000636F6e736F6c652e6c6f67).staticcall(abi.encodeWithSignature("log(string)", text));
        require(ok);
    }

    /// Each call of the file in turn, as three lines: URL, method, parameters; tells of the failure.
    function run() external {
        uint256 calls = vm.envUint("CALLS");
        for (uint256 i = 0; i < calls; i++) {
            string memory url = vm.readLine("calls.txt");
            string memory method = vm.readLine("calls.txt");
            try vm.rpc(url, method, vm.readLine("calls.txt")) returns (bytes memory) {
                log("@none");
            } catch (bytes memory e) {
                require(bytes4(e) == CheatcodeError.selector);
                bytes memory rest = new bytes(e.length - 4);
                for (uint256 k = 0; k < rest.length; k++) rest[k] = e[k + 4];
                log(string.concat("@CheatcodeError ", abi.decode(rest, (string))));
            }
        }
    }

    /// Sum and number of the values that TOKEN's transfers moved, as this node tells of its logs.
    function logs() external returns (uint256 sum, uint256 count) {
        bytes32[] memory topics = new bytes32[](1);
        topics[0] = keccak256("Transfer(address,address,uint256)");
        Vm.EthGetLogs[] memory all = vm.eth_getLogs(0, block.number, vm.envAddress("TOKEN"), topics);
        for (uint256 i = 0; i < all.length; i++) sum += abi.decode(all[i].data, (uint256));
        count = all.length;
    }
}
