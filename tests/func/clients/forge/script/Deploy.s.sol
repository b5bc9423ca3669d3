// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Coin, Items} from "contracts/Tokens.sol";
import {Account, Deeds} from "contracts/Deeds.sol";

/// The cheatcodes that are used here.
interface Vm {
    function envUint(string calldata name) external view returns (uint256);
    function addr(uint256 key) external pure returns (address);
    function startBroadcast(uint256 key) external;
    function stopBroadcast() external;
    function signAndAttachDelegation(address implementation, uint256 key) external;
}

contract Deploy {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    bool public constant IS_SCRIPT = true;

    function run() external {
        (uint256 key, uint256 other) = (vm.envUint("ALICE_KEY"), vm.envUint("BOB_KEY"));
        (address alice, address bob) = (vm.addr(key), vm.addr(other));
        vm.startBroadcast(key);
        Coin coin = new Coin(alice);
        Items items = new Items(alice);
        Deeds deeds = new Deeds{salt: bytes32(uint256(1))}(alice); // through the CREATE2 deployer
        coin.mint(alice, 1000);
        coin.transfer(bob, 300);
        uint256[] memory ids = new uint256[](50);
        for (uint256 i = 0; i < 50; i++) ids[i] = i + 1;
        items.mintBatch(alice, ids, ids);
        items.safeTransferFrom(alice, bob, 50, 20, "");
        deeds.mint(alice, 7);
        deeds.transferFrom(alice, bob, 7);
        for (uint256 i = 0; i < 50; i++) coin.transfer(bob, 1);
        Account logic = new Account();
        vm.signAndAttachDelegation(address(logic), other);
        (bool ok,) = payable(alice).call{value: 1}("");
        require(ok);
        vm.stopBroadcast();
    }

    function refused() external {
        uint256 key = vm.envUint("ALICE_KEY");
        vm.startBroadcast(key);
        Coin coin = new Coin(vm.addr(key));
        coin.mint(address(1), 2_000_000 ether);
        vm.stopBroadcast();
    }
}
